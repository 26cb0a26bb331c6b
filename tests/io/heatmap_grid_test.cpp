#include <heed/io/heatmap_grid.hpp>

#include <limits>

#include "io/heatmap_testing.hpp"
#include "support/catch.hpp"

using heed::Heatmap;
using heed::HeatmapGrid;
using heed::Index;
using heed::Tensor;
using heed_test::xml_problem;

namespace {

/// Weights of two layers (2 samples, 3 heads, 4 queries, 5 keys) that tell where they are.
std::vector<Tensor<float, 4>> layers() {
  std::vector<Tensor<float, 4>> all(2, Tensor<float, 4>(2, 3, 4, 5));
  for (std::size_t l = 0; l < 2; ++l) {
    for (Index i = 0; i < all[l].size(); ++i)
      all[l].data()[i] = static_cast<float>(i) / 256 + static_cast<float>(l) / 2;
  }
  return all;
}

std::size_t count_of(const std::string& text, const std::string& part) {
  std::size_t count = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++count;
  return count;
}

}  // namespace

TEST_CASE("a grid has a row of maps per layer, cut to the labels", "[io]") {
  const auto all = layers();
  const HeatmapGrid grid = heed::head_grid<float>(all, {"a", "b", "c"}, {"x", "y"}, {.batch = 1, .title = "heads"});
  CHECK(grid.columns == 3);
  REQUIRE(grid.maps.size() == 6);
  CHECK(grid.maps[0].title == "layer 1, head 1");
  CHECK(grid.maps[5].title == "layer 2, head 3");
  CHECK(grid.maps[5].rows.size() == 3);
  CHECK(grid.maps[5].weight(2, 1) == double(all[1](1, 2, 2, 1)));
  CHECK(grid.maps[1].weight(0, 0) == double(all[0](1, 1, 0, 0)));
}

TEST_CASE("the picture of a grid has every cell once and is sound XML, whatever the labels hold", "[io]") {
  const auto all = layers();
  const std::string bad = "<&\"\x01\xff>";
  const std::string svg = heed::heatmap_grid_svg(heed::head_grid<float>(all, {"a", bad}, {"x", "y"}, {.title = bad}));
  CHECK(xml_problem(svg) == "");
  CHECK(count_of(svg, "<g class=\"c\">") == 6 * 4);
  CHECK(count_of(svg, ">layer 2, head 3</text>") == 1);
  CHECK(count_of(svg, "linearGradient id") == 1);
  HeatmapGrid odd{{Heatmap{{"a"}, {"b"}, {std::numeric_limits<double>::quiet_NaN()}, ""}, Heatmap{}}, 2, ""};
  CHECK(xml_problem(heed::heatmap_grid_svg(odd)) == "");
  CHECK(xml_problem(heed::heatmap_grid_svg(HeatmapGrid{})) == "");
}

TEST_CASE("maps of a picture lie beside each other, then below", "[io]") {
  const Heatmap map{{"a"}, {"b"}, {1}, "t"};
  const heed::detail::GridLayout at(HeatmapGrid{{map, map, map}, 2, ""});
  CHECK(at.x(0, 2) == at.x(2, 2));
  CHECK(at.x(1, 2) > at.x(0, 2) + at.map_width);
  CHECK(at.y(1, 2) == at.y(0, 2));
  CHECK(at.y(2, 2) > at.y(0, 2) + at.map_height);
  CHECK(at.height > at.y(2, 2) + at.map_height);
}

TEST_CASE("a grid refuses what does not fit", "[io]") {
  const auto all = layers();
  const std::vector<std::string> two = {"a", "b"}, many(6, "a");
  CHECK_THROWS_WITH(heed::head_grid<float>({}, two, two), "head_grid: there are no layers, wanted at least 1");
  CHECK_THROWS_WITH(heed::head_grid<float>(all, two, two, {.batch = 2}), "head_grid: batch is 2, wanted 0 to below 2");
  CHECK_THROWS_WITH(heed::head_grid<float>(all, two, many),
                    "head_grid: there are 2 row and 6 column labels, wanted at most 4 and 5");
  auto odd = all;
  odd[1] = Tensor<float, 4>(2, 2, 4, 5);
  CHECK_THROWS_AS(heed::head_grid<float>(odd, two, two), heed::Error);
  const std::vector<Tensor<float, 4>> large(3, Tensor<float, 4>(1, 4, 100, 100).setZero());
  const std::vector<std::string> hundred(100, "a");
  CHECK_THROWS_WITH(heed::head_grid<float>(large, hundred, hundred),
                    "head_grid: 12 maps of 10000 cells, wanted at most 40000 in all");
  CHECK_THROWS_AS(heed::heatmap_grid_svg(HeatmapGrid{{}, 0, ""}), heed::Error);
}
