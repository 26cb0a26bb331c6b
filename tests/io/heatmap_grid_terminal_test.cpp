#include <heed/io/heatmap_grid_terminal.hpp>

#include <limits>

#include "support/catch.hpp"

using heed::Heatmap;
using heed::heatmap_grid_text;
using heed::HeatmapGrid;
using heed::HeatmapStyle;

namespace {

const Heatmap wide{{"a", "b"}, {"x", "y", "z"}, {0, 0.5, 1, 0.04, 0.06, 0.94}, "head 1"};
const Heatmap low{{"a"}, {"x"}, {std::numeric_limits<double>::quiet_NaN()}, "head 2"};

}  // namespace

TEST_CASE("maps stand beside each other under their captions, in tenths", "[io]") {
  CHECK(heatmap_grid_text({{wide, low, wide}, 2, "layer 1"}) ==
        "layer 1\n"
        "head 1        head 2\n"
        " . 5 X         N\n"
        " . 1 9\n"
        "\n"
        "head 1\n"
        " . 5 X\n"
        " . 1 9\n");
}

TEST_CASE("a narrow terminal gets fewer maps per line, at least one", "[io]") {
  const HeatmapGrid grid{{low, low, low}, 3, ""};
  CHECK(heatmap_grid_text(grid, {.columns = 40}) ==
        "head 2        head 2        head 2\n N             N             N\n");
  CHECK(heatmap_grid_text(grid, {.columns = 26}) == "head 2        head 2\n N             N\n\nhead 2\n N\n");
  CHECK(heatmap_grid_text(grid, {.columns = 3}) == "head 2\n N\n\nhead 2\n N\n\nhead 2\n N\n");
}

TEST_CASE("colours are two columns each and are taken back, and captions cannot command a terminal", "[io]") {
  const Heatmap evil{{"a"}, {"x"}, {1}, "\x1b[2J"};
  const std::string text = heatmap_grid_text({{evil}, 1, ""}, {.style = HeatmapStyle::colour});
  CHECK(text == "\\x1B[2J\n\x1b[48;5;227m  \x1b[0m\n");
}

TEST_CASE("a grid of no columns is refused, one of no maps is empty", "[io]") {
  CHECK_THROWS_WITH(heatmap_grid_text({{wide}, 0, ""}), "heatmap_grid_text: columns is 0, wanted at least 1");
  CHECK(heatmap_grid_text({}) == "");
}
