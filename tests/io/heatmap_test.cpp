#include <heed/io/heatmap.hpp>

#include <clocale>
#include <limits>

#include "io/heatmap_testing.hpp"
#include "io/temp_folder.hpp"
#include "support/catch.hpp"

using heed::Heatmap;
using heed::Index;
using heed::make_heatmap;
using heed::MatrixView;
using heed_test::message_of;
using heed_test::xml_problem;

namespace {

Heatmap one_cell(const std::string& row, const std::string& column, double weight) {
  return {{row}, {column}, {weight}, ""};
}
bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("a heatmap keeps labels and weights of any element type", "[io]") {
  const double weights[6] = {0, 0.25, 0.75, 1, 0, 0};
  const Heatmap map = make_heatmap<const double>({weights, 2, 3}, {"你", "好"}, {"a", "b", "c"}, "t");
  CHECK(map.weight(0, 2) == 0.75);
  CHECK(map.weight(1, 0) == 1.0);
  const std::string svg = heed::heatmap_svg(map);
  CHECK(xml_problem(svg) == "");
  CHECK(has(svg, "<title>你 \u2192 c: 0.7500</title>"));
  CHECK(has(svg, ">75</text>"));
  CHECK(has(svg, ">100</text>"));
}

TEST_CASE("E31: labels that do not fit and maps that are too large are refused", "[io]") {
  const float weights[6] = {};
  CHECK_THROWS_AS(make_heatmap<const float>({weights, 2, 3}, {"a"}, {"a", "b", "c"}), heed::Error);
  CHECK_THROWS_AS(make_heatmap<const float>({weights, 2, 3}, {"a", "b"}, {"a", "b", "c", "d"}), heed::Error);
  const std::vector<std::string> many(10'000, "x");
  const std::string message = message_of<heed::Error>(
      [&] { make_heatmap<const float>(MatrixView<const float>(weights, 10'000, 10'000), many, many); });
  CHECK(message == "make_heatmap: weights have 10000 x 10000 cells, wanted at most 40000");
}

TEST_CASE("E30: markup, controls, bad bytes and bidirectional signs in tokens are escaped", "[io]") {
  for (const char* token : {"<", "&", "\"", "'", ">", "]]>", "<script>alert(1)</script>", "\x1b[2J", "\x01", "\x7f",
                            "\t", "a\nb", "\xff", "\xe4\xbd", "\u202e abc", "\u200b", "\ufffe", "👨\u200d👩\u200d👧"}) {
    const std::string svg = heed::heatmap_svg(one_cell(token, token, 0.5));
    INFO("token: " << heed::quote(token));
    CHECK(xml_problem(svg) == "");
    CHECK(!has(svg, "<script"));
  }
  CHECK(has(heed::heatmap_svg(one_cell("<", "&", 0.5)), "<title>&#60; \u2192 &#38;: 0.5000</title>"));
  CHECK(has(heed::heatmap_svg(one_cell("\x1b", "x", 0.5)), "&#9243;"));  // U+241B, the picture of ESC
  CHECK(heed::detail::xml_text("\u202e") == "&#8238;");
}

TEST_CASE("long labels are cut in the picture and whole in the tooltip", "[io]") {
  const std::string longest(40, 'x');
  const std::string svg = heed::heatmap_svg(one_cell(longest, "y", 0.1));
  CHECK(has(svg, "<title>" + longest));
  CHECK(has(svg, '>' + std::string(23, 'x') + "…</text>"));
}

TEST_CASE("weights outside 0 to 1 and NaN stay drawable", "[io]") {
  for (const double weight : {-1.0, 2.0, 1e300, std::numeric_limits<double>::infinity(), std::nan("")}) {
    CHECK(xml_problem(heed::heatmap_svg(one_cell("a", "b", weight))) == "");
  }
  CHECK(has(heed::heatmap_svg(one_cell("a", "b", std::nan(""))), ": NaN<"));
}

TEST_CASE("an empty map is a picture too", "[io]") {
  CHECK(xml_problem(heed::heatmap_svg(make_heatmap<const float>({nullptr, 0, 0}, {}, {}))) == "");
}

TEST_CASE("E17: numbers have a point in every locale", "[io]") {
  const std::string before = std::setlocale(LC_ALL, nullptr);
  for (const char* name : {"de_DE.UTF-8", "fr_FR.UTF-8", "C"}) {
    if (std::setlocale(LC_ALL, name) != nullptr) CHECK(heed::detail::decimal(0.25, 2) == "0.25");
  }
  std::setlocale(LC_ALL, before.c_str());
}

TEST_CASE("CSV quotes its labels", "[io]") {
  const Heatmap map{{"a,b", "c\"d"}, {"你"}, {0.5, 0.25}, ""};
  CHECK(heed::heatmap_csv(map) == "\"\",\"你\"\n\"a,b\",0.500000\n\"c\"\"d\",0.250000\n");
}
