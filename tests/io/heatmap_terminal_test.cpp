#include <heed/io/heatmap_terminal.hpp>

#include <sstream>

#include "support/catch.hpp"

using heed::Heatmap;
using heed::heatmap_text;
using heed::HeatmapStyle;
using heed::Index;

namespace {

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}
const Heatmap chinese{{"你好", "，", "a"}, {"hello", "🙂", "好"}, {0.9, 0.1, 0.0, 0.25, 0.5, 0.25, 0, 0, 1}, ""};

}  // namespace

TEST_CASE("E27: the plain form has no control sequence and aligned columns", "[io]") {
  const auto lines = lines_of(heatmap_text(chinese));
  REQUIRE(lines.size() == 4);
  CHECK(lines[0] == "     hello  🙂   好");
  CHECK(lines[1] == "你好   90   10    ·");
  CHECK(lines[2] == "  ，   25   50   25");
  CHECK(lines[3] == "   a    ·    ·  100");
}

TEST_CASE("the coloured form resets every colour it sets", "[io]") {
  const std::string text = heatmap_text(chinese, {.style = HeatmapStyle::colour});
  std::size_t set = 0, reset = 0;
  for (std::size_t at = 0; (at = text.find("\x1b[48;5;", at)) != text.npos; ++at) ++set;
  for (std::size_t at = 0; (at = text.find("\x1b[0m", at)) != text.npos; ++at) ++reset;
  CHECK(set == 9);
  CHECK(reset == 9);
  CHECK(text.find(" 90") != text.npos);
}

TEST_CASE("a map wider than the terminal goes on below", "[io]") {
  Heatmap map{{"x"}, {}, {}, ""};
  for (int j = 0; j < 30; ++j) {
    map.columns.push_back("t" + std::to_string(j));
    map.weights.push_back(0.01 * j);
  }
  for (const Index columns : {20, 40, 80}) {
    const std::string text = heatmap_text(map, {.columns = columns});
    for (const std::string& line : lines_of(text)) CHECK(heed::display_width(line) <= columns);
    CHECK(text.find("t29") != text.npos);
  }
  CHECK(lines_of(heatmap_text(map, {.columns = 1})).size() == 3 * 30 - 1);  // one column of the map per block
}

TEST_CASE("D14: tokens cannot command the terminal or shift the columns", "[io]") {
  for (const char* token :
       {"\x1b[2J", "\r", "\xff", "\u202e", "\u200b", "👨\u200d👩\u200d👧", "e\u0301", "a\nb", "long long long long"}) {
    const Heatmap map{{token, "b"}, {token, "c"}, {1, 0, 0, 1}, token};
    const auto lines = lines_of(heatmap_text(map));
    INFO("token: " << heed::quote(token));
    REQUIRE(lines.size() == 4);
    CHECK(heed::display_width(lines[2]) == heed::display_width(lines[3]));
    for (const std::string& line : lines) {
      for (const char c : line) CHECK((static_cast<unsigned char>(c) >= 0x20));
    }
  }
}

TEST_CASE("colours need a terminal", "[io]") { CHECK(heed::heatmap_style(-1) == HeatmapStyle::plain); }
