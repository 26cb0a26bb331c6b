#pragma once
// A grid of heatmaps as text for terminals: two columns per cell, as many maps beside each other as fit.

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include <heed/io/heatmap_grid.hpp>
#include <heed/io/heatmap_terminal.hpp>

namespace heed::inline HEED_ABI {

namespace detail {

/// Two columns: a colour, or in plain text tenths from . (below 5 %) over 1 to 9 and X (95 % and more).
inline std::string grid_terminal_cell(double weight, HeatmapStyle style) {
  if (style == HeatmapStyle::colour && !std::isnan(weight)) {
    const auto step = static_cast<std::size_t>(std::lround(clamped(weight) * (std::size(heat_colours) - 1)));
    return "\x1b[48;5;" + std::to_string(heat_colours[step]) + "m  \x1b[0m";
  }
  if (std::isnan(weight)) return " N";
  const long tenths = std::lround(clamped(weight) * 10);
  return std::string(" ") + (tenths == 0 ? '.' : tenths == 10 ? 'X' : static_cast<char>('0' + tenths));
}

/// What a terminal shows of text in `columns`: cut, or filled with spaces.
inline std::string fitted(const std::string& text, Index columns) {
  const std::string label = terminal_label(text, columns);
  return label + spaces(columns - display_width(label));
}

/// Maps [first, first + count) beside each other, each `width` columns wide: captions, then rows.
inline std::string grid_terminal_row(const HeatmapGrid& grid, std::size_t first, std::size_t count, Index width,
                                     HeatmapStyle style) {
  std::size_t rows = 0;
  std::string text, line;
  const auto end_line = [&] {
    while (line.ends_with(' ')) line.pop_back();
    text += line + '\n';
    line.clear();
  };
  for (std::size_t m = first; m < first + count; ++m) {
    rows = std::max(rows, grid.maps[m].rows.size());
    line += fitted(grid.maps[m].title, width) + "  ";
  }
  end_line();
  for (std::size_t i = 0; i < rows; ++i) {
    for (std::size_t m = first; m < first + count; ++m) {
      const Heatmap& map = grid.maps[m];
      const std::size_t cells = i < map.rows.size() ? map.columns.size() : 0;
      for (std::size_t j = 0; j < cells; ++j) {
        line += grid_terminal_cell(map.weight(static_cast<Index>(i), static_cast<Index>(j)), style);
      }
      line += spaces(width - 2 * static_cast<Index>(cells) + 2);
    }
    end_line();
  }
  return text;
}

}  // namespace detail

/// Lines of maps: grid.columns beside each other, or as many as options.columns has room for (at least one). Tenths in
/// plain text, colours on a terminal that has them. Ends with a line end. Throws heed::Error for a grid of no columns.
inline std::string heatmap_grid_text(const HeatmapGrid& grid, const TerminalHeatmapOptions& options = {}) {
  detail::check_grid("heatmap_grid_text", grid);
  Index width = 12;  // enough for a short caption
  for (const Heatmap& map : grid.maps) {
    width = std::max({width, 2 * static_cast<Index>(map.columns.size()),
                      std::min<Index>(display_width(map.title), max_label_columns)});
  }
  const Index room = std::max<Index>((options.columns + 2) / (width + 2), 1);
  const auto beside = static_cast<std::size_t>(std::min(room, grid.columns));
  std::string text =
      grid.title.empty() ? "" : detail::terminal_label(grid.title, std::max<Index>(options.columns, 8)) + '\n';
  const auto columns = static_cast<std::size_t>(grid.columns);
  for (std::size_t start = 0; start < grid.maps.size();
       start += columns) {  // a row of the grid may take several lines of maps
    const std::size_t end = std::min(start + columns, grid.maps.size());
    for (std::size_t first = start; first < end; first += beside) {
      if (first > 0) text += '\n';
      text += detail::grid_terminal_row(grid, first, std::min(beside, end - first), width, options.style);
    }
  }
  return text;
}

}  // namespace heed::inline HEED_ABI
