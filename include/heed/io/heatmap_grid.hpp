#pragma once
// Many small heatmaps side by side under captions: all heads of a layer, or a row of heads per layer, as one
// self-contained SVG. The terminal form is in heatmap_grid_terminal.hpp.

#include <algorithm>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <heed/core/tensor.hpp>
#include <heed/io/heatmap.hpp>

namespace heed::inline HEED_ABI {

/// Maps in reading order; their titles are the captions. Labels are shown as tooltips.
struct HeatmapGrid {
  std::vector<Heatmap> maps;
  Index columns = 1;  // maps beside each other
  std::string title;  // may be empty
};

/// Which heads a grid shows: sample `batch` of every layer's weights.
struct HeadGridOptions {
  Index batch = 0;
  std::string title = "";
};

/// A row of maps per layer, a map per head, captioned "layer 2, head 3" (counted from 1): layers of weights (batch,
/// heads, query_length, key_length), as MultiHeadOptions::collect_weights gives them. Cut to the labels: rows (query
/// tokens) and columns (key tokens) may be fewer than the padded lengths. Throws heed::Error for no layers, labels or a
/// sample that do not fit, layers with different numbers of heads, and more than max_heatmap_cells cells in all.
template <class T>
HeatmapGrid head_grid(std::span<const Tensor<T, 4>> layers, const std::vector<std::string>& rows,
                      const std::vector<std::string>& columns, const HeadGridOptions& options = {}) {
  const char* const function = "head_grid";
  check(!layers.empty(), [&] { return std::string(function) + ": there are no layers, wanted at least 1"; });
  const Index heads = layers[0].dimension(1);
  const auto row_count = static_cast<Index>(rows.size()), column_count = static_cast<Index>(columns.size());
  for (const Tensor<T, 4>& weights : layers) {
    check_extent(function, "weights", "heads", weights.dimension(1), heads);
    check(options.batch >= 0 && options.batch < weights.dimension(0), [&] {
      return std::string(function) + ": batch is " + std::to_string(options.batch) + ", wanted 0 to below " +
             std::to_string(weights.dimension(0));
    });
    check(row_count <= weights.dimension(2) && column_count <= weights.dimension(3), [&] {
      return std::string(function) + ": there are " + std::to_string(row_count) + " row and " +
             std::to_string(column_count) + " column labels, wanted at most " + std::to_string(weights.dimension(2)) +
             " and " + std::to_string(weights.dimension(3));
    });
  }
  const Index maps = static_cast<Index>(layers.size()) * heads;
  check(maps * row_count * column_count <= max_heatmap_cells, [&] {
    return std::string(function) + ": " + std::to_string(maps) + " maps of " +
           std::to_string(row_count * column_count) + " cells, wanted at most " + std::to_string(max_heatmap_cells) +
           " in all";
  });
  HeatmapGrid grid{{}, std::max<Index>(heads, 1), options.title};
  for (std::size_t layer = 0; layer < layers.size(); ++layer) {
    const Tensor<T, 4>& weights = layers[layer];
    for (Index h = 0; h < heads; ++h) {
      const Index keys = weights.dimension(3);
      const T* const first = weights.data() + (options.batch * heads + h) * weights.dimension(2) * keys;
      grid.maps.push_back(make_heatmap(MatrixView<const T>(first, row_count, column_count, keys), rows, columns,
                                       "layer " + std::to_string(layer + 1) + ", head " + std::to_string(h + 1)));
    }
  }
  return grid;
}

namespace detail {

inline void check_grid(const char* function, const HeatmapGrid& grid) {
  check(grid.columns > 0,
        [&] { return std::string(function) + ": columns is " + std::to_string(grid.columns) + ", wanted at least 1"; });
}

/// Where maps are, in pixels: one cell size for all, so that they can be compared.
struct GridLayout {
  static constexpr double margin = 24, space = 18, caption = 22, map_size = 176;
  double cell, map_width = 0, map_height = 0, top, width, height;

  explicit GridLayout(const HeatmapGrid& grid) {
    std::size_t longest = 1, rows = 0, columns = 0;
    Index captions = 1;
    for (const Heatmap& map : grid.maps) {
      rows = std::max(rows, map.rows.size());
      columns = std::max(columns, map.columns.size());
      captions = std::max(captions, display_width(short_label(map.title)));
    }
    longest = std::max({longest, rows, columns});
    cell = std::clamp(map_size / static_cast<double>(longest), 4.0, 28.0);
    map_width = std::max(static_cast<double>(columns) * cell, static_cast<double>(captions) * 7.6);
    map_height = static_cast<double>(rows) * cell;
    top = margin + (grid.title.empty() ? 0 : 34);
    const auto count = static_cast<Index>(grid.maps.size());
    const auto across = static_cast<double>(std::min(grid.columns, std::max<Index>(count, 1)));
    const auto down = static_cast<double>((count + grid.columns - 1) / grid.columns);
    const double title = static_cast<double>(display_width(grid.title)) * 9.6;
    width = 2 * margin + std::max({across * (map_width + space) - space, 220.0, title});
    height = top + down * (caption + map_height + space) + 48 + margin;
  }
  double x(Index map, Index columns) const { return margin + static_cast<double>(map % columns) * (map_width + space); }
  double y(Index map, Index columns) const {
    return top + static_cast<double>(map / columns) * (caption + map_height + space);
  }
};

inline std::string grid_cell(const Heatmap& map, Index row, Index column, double x, double y, double side) {
  const double weight = map.weight(row, column);
  const std::string box = "<rect x=\"" + decimal(x, 1) + "\" y=\"" + decimal(y, 1) + "\" width=\"" + decimal(side, 1) +
                          "\" height=\"" + decimal(side, 1) + "\" ";
  std::string cell = "<g class=\"c\"><title>" + xml_text(map.rows[static_cast<std::size_t>(row)]) + " \u2192 " +
                     xml_text(map.columns[static_cast<std::size_t>(column)]) + ": " + decimal(weight, 4) + "</title>" +
                     box + "class=\"empty\"/>";
  if (clamped(weight) >= 0.005) cell += box + "class=\"full\" fill-opacity=\"" + decimal(clamped(weight), 3) + "\"/>";
  return cell + "</g>\n";
}

}  // namespace detail

/// A self-contained SVG in the reader's light or dark theme: a captioned map per head on one scale, labels and weights
/// as tooltips. Throws heed::Error for a grid of no columns.
inline std::string heatmap_grid_svg(const HeatmapGrid& grid) {
  detail::check_grid("heatmap_grid_svg", grid);
  const detail::GridLayout at(grid);
  std::string svg = detail::svg_page(grid.title, detail::GridLayout::margin, at.width, at.height);
  const double side = at.cell - (at.cell > 8 ? 1.5 : 0.5);
  for (std::size_t m = 0; m < grid.maps.size(); ++m) {
    const Heatmap& map = grid.maps[m];
    const double x = at.x(static_cast<Index>(m), grid.columns), y = at.y(static_cast<Index>(m), grid.columns);
    svg += detail::svg_text(x, y + 14, "soft", detail::short_label(map.title));
    for (std::size_t i = 0; i < map.rows.size(); ++i) {
      for (std::size_t j = 0; j < map.columns.size(); ++j) {
        svg +=
            detail::grid_cell(map, static_cast<Index>(i), static_cast<Index>(j), x + static_cast<double>(j) * at.cell,
                              y + detail::GridLayout::caption + static_cast<double>(i) * at.cell, side);
      }
    }
  }
  detail::SvgLayout scale{Heatmap{}};
  scale.left = detail::GridLayout::margin;
  return svg + detail::svg_scale(scale, at.height - detail::GridLayout::margin - 40) + "</svg>\n";
}

}  // namespace heed::inline HEED_ABI
