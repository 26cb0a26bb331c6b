#pragma once
// Attention weights in a terminal: coloured cells where it has colours, digits where it has not. Columns line up by
// display width, so Chinese tokens and emoji do not shift them.

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include <unistd.h>

#include <heed/core/display_width.hpp>
#include <heed/core/quote.hpp>
#include <heed/io/heatmap.hpp>

namespace heed::inline HEED_ABI {

/// colour: 256-colour backgrounds; plain: digits, no control sequence.
enum class HeatmapStyle { colour, plain };

/// colour when the file descriptor is a terminal, TERM is not "dumb" and NO_COLOR is not set (https://no-color.org).
inline HeatmapStyle heatmap_style(int file_descriptor) {
  const char* term = std::getenv("TERM");
  const char* no_color = std::getenv("NO_COLOR");
  const bool able = ::isatty(file_descriptor) != 0 && term != nullptr && std::string_view(term) != "dumb";
  return able && (no_color == nullptr || *no_color == '\0') ? HeatmapStyle::colour : HeatmapStyle::plain;
}

struct TerminalHeatmapOptions {
  HeatmapStyle style = HeatmapStyle::plain;
  Index columns = 80;  // of the terminal; wider maps are continued below
};

namespace detail {

inline constexpr Index terminal_label_columns = 12;
inline constexpr Index cell_columns = 4;  // " 87 "; wider where the label above is
// From nothing to everything, through the colours of viridis as far as a 256-colour terminal has them.
inline constexpr int heat_colours[] = {236, 53, 54, 55, 61, 60, 67, 31, 37, 36, 42, 78, 114, 149, 191, 227};

/// A label that a terminal cannot misunderstand: controls and what reorders text are escaped.
inline std::string terminal_label(std::string_view label, Index columns) {
  std::string safe;
  for (std::size_t at = 0; at < label.size();) {
    const std::size_t start = at;
    const char32_t code = next_code_point(label, at);
    const std::string_view piece = label.substr(start, at - start);
    const bool joiner = code == 0x200D;  // holds an emoji together
    const bool odd =
        !joiner && (is_control(code) || is_invisible_format(code) || (code == 0xFFFD && piece.size() == 1));
    safe += odd ? escaped(piece) : std::string(piece);
  }
  if (display_width(safe) > columns) safe = std::string(cut_to_width(safe, columns - 1)) + "…";
  return safe;
}

inline std::string spaces(Index count) { return std::string(static_cast<std::size_t>(std::max<Index>(count, 0)), ' '); }

/// `text` in the middle of `columns`.
inline std::string centred(const std::string& text, Index columns) {
  const Index free = std::max<Index>(columns - display_width(text), 0);
  return spaces(free / 2) + text + spaces(free - free / 2);
}

inline std::string terminal_cell(double weight, Index columns, HeatmapStyle style) {
  const bool number = !std::isnan(weight);
  const long percent = number ? std::lround(clamped(weight) * 100) : 0;
  const bool plain = style == HeatmapStyle::plain;
  std::string digits = !number ? "NaN" : percent >= (plain ? 1 : 10) ? std::to_string(percent) : plain ? "·" : "";
  digits = spaces(3 - display_width(digits)) + digits;
  if (plain) return centred(digits, columns);
  const auto step = static_cast<std::size_t>(std::lround(clamped(weight) * (std::size(heat_colours) - 1)));
  return "\x1b[48;5;" + std::to_string(heat_colours[step]) + ";38;5;" + (step >= 8 ? "16m" : "255m") +
         centred(digits, columns) + "\x1b[0m";
}

/// One block of lines: columns [first, last) of the map under their labels.
inline std::string terminal_block(const Heatmap& map, Index first, Index last, Index row_columns, HeatmapStyle style) {
  std::string text = spaces(row_columns);
  std::vector<Index> widths;
  for (Index j = first; j < last; ++j) {
    const std::string label = terminal_label(map.columns[static_cast<std::size_t>(j)], terminal_label_columns);
    widths.push_back(std::max(cell_columns, display_width(label)));
    text += ' ' + centred(label, widths.back());
  }
  while (text.ends_with(' ')) text.pop_back();
  text += '\n';
  for (std::size_t i = 0; i < map.rows.size(); ++i) {
    const std::string label = terminal_label(map.rows[i], terminal_label_columns);
    std::string line = spaces(row_columns - display_width(label)) + label;
    for (Index j = first; j < last; ++j) {
      line +=
          ' ' + terminal_cell(map.weight(static_cast<Index>(i), j), widths[static_cast<std::size_t>(j - first)], style);
    }
    while (line.ends_with(' ')) line.pop_back();
    text += line + '\n';
  }
  return text;
}

}  // namespace detail

/// Percentages, a line per row of the map; maps wider than the terminal are cut into blocks of columns, one below the
/// other. Ends with a line end.
inline std::string heatmap_text(const Heatmap& map, const TerminalHeatmapOptions& options = {}) {
  Index row_columns = 0;
  for (const std::string& row : map.rows) {
    row_columns = std::max(row_columns, display_width(detail::terminal_label(row, detail::terminal_label_columns)));
  }
  std::string text =
      map.title.empty() ? "" : detail::terminal_label(map.title, std::max<Index>(options.columns, 8)) + '\n';
  const auto count = static_cast<Index>(map.columns.size());
  for (Index first = 0, last = 0; first < count; first = last) {
    Index used = row_columns;
    for (; last < count; ++last) {
      const Index label = display_width(
          detail::terminal_label(map.columns[static_cast<std::size_t>(last)], detail::terminal_label_columns));
      used += 1 + std::max(detail::cell_columns, label);
      if (used > options.columns && last > first) break;
    }
    if (first > 0) text += '\n';
    text += detail::terminal_block(map, first, last, row_columns, options.style);
  }
  return text;
}

}  // namespace heed::inline HEED_ABI
