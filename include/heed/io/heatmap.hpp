#pragma once
// Attention weights as a picture: a self-contained SVG that follows the reader's light or dark theme, or a CSV table.
// The terminal form is in heatmap_terminal.hpp.

#include <algorithm>
#include <charconv>
#include <cmath>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <heed/core/check.hpp>
#include <heed/core/display_width.hpp>
#include <heed/core/quote.hpp>
#include <heed/core/view.hpp>

namespace heed::inline HEED_ABI {

inline constexpr Index max_heatmap_cells = 40'000;  // an SVG of some 8 MB, which browsers still draw
inline constexpr Index max_label_columns = 24;      // longer labels are cut; the tooltip has the whole

/// A labelled matrix of weights: one row per query (the token written), one column per key (the token looked at).
struct Heatmap {
  std::vector<std::string> rows, columns;  // labels, UTF-8; anything in them is shown escaped
  std::vector<double> weights;             // rows x columns, row by row; drawn on a scale from 0 to 1
  std::string title;                       // may be empty

  double weight(Index row, Index column) const {
    return weights[static_cast<std::size_t>(row) * columns.size() + static_cast<std::size_t>(column)];
  }
};

/// A heatmap of `weights` (rows, columns). Throws heed::Error when the labels do not fit the matrix or it is too large.
template <class T>
Heatmap make_heatmap(const MatrixView<T>& weights, std::vector<std::string> rows, std::vector<std::string> columns,
                     std::string title = "") {
  check_extent("make_heatmap", "rows", "size", static_cast<Index>(rows.size()), weights.rows);
  check_extent("make_heatmap", "columns", "size", static_cast<Index>(columns.size()), weights.cols);
  check(weights.rows == 0 || weights.cols <= max_heatmap_cells / weights.rows, [&] {
    return "make_heatmap: weights have " + std::to_string(weights.rows) + " x " + std::to_string(weights.cols) +
           " cells, wanted at most " + std::to_string(max_heatmap_cells);
  });
  Heatmap map{std::move(rows), std::move(columns), {}, std::move(title)};
  for (Index i = 0; i < weights.rows; ++i) {
    for (Index j = 0; j < weights.cols; ++j) map.weights.push_back(static_cast<double>(weights(i, j)));
  }
  return map;
}

namespace detail {

/// A number with a decimal point in every locale.
inline std::string decimal(double value, int digits) {
  if (std::isnan(value)) return "NaN";
  char text[64];
  const auto end =
      std::to_chars(text, text + sizeof text, std::clamp(value, -1e9, 1e9), std::chars_format::fixed, digits);
  return {text, end.ptr};
}

/// UTF-8 text made safe for XML: markup and invisible formats as references, controls as pictures (U+2400 ...), what
/// XML has no character for as U+FFFD.
inline std::string xml_text(std::string_view text) {
  std::string safe;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t start = at;
    const char32_t code = next_code_point(text, at);
    if (code < 0x20 || code == '&' || code == '<' || code == '>' || code == '"' || code == '\'' ||
        is_invisible_format(code)) {
      safe += "&#" + std::to_string(static_cast<unsigned>(code < 0x20 ? 0x2400 + code : code)) + ';';
    } else if (is_control(code) || (code & 0xFFFEU) == 0xFFFE || (code == 0xFFFD && at == start + 1)) {
      safe += code == 0x7F ? "&#9249;" : "&#65533;";  // U+2421 is the picture of DEL
    } else {
      safe += text.substr(start, at - start);
    }
  }
  return safe;
}

/// A label of at most max_label_columns, cut with an ellipsis.
inline std::string short_label(std::string_view label) {
  if (display_width(label) <= max_label_columns) return std::string(label);
  return std::string(cut_to_width(label, max_label_columns - 1)) + "…";
}

inline double clamped(double weight) { return std::isnan(weight) ? 0.0 : std::clamp(weight, 0.0, 1.0); }

/// Where things are, in pixels.
struct SvgLayout {
  static constexpr double cell = 40, gap = 3, column_width = 7.6, margin = 24, label_gap = 10;
  double left, top, width, height;

  explicit SvgLayout(const Heatmap& map) {
    const double row_label = longest(map.rows), column_label = longest(map.columns);
    const double slanted = column_label * 0.7072 + 12;  // labels of columns lean by 45 degrees
    const double title = map.title.empty() ? 0 : 34;
    const auto columns = static_cast<double>(map.columns.size()), rows = static_cast<double>(map.rows.size());
    left = margin + row_label + label_gap;
    top = margin + title + slanted + label_gap;
    width = std::max({left + columns * cell + std::max(margin, slanted - cell / 2), left + 220 + margin,
                      2 * margin + static_cast<double>(display_width(map.title)) * 9.6});
    height = top + rows * cell + 64 + margin;
  }
  double x(Index column) const { return left + static_cast<double>(column) * cell; }
  double y(Index row) const { return top + static_cast<double>(row) * cell; }

 private:
  static double longest(const std::vector<std::string>& labels) {
    Index most = 1;
    for (const std::string& label : labels) most = std::max(most, display_width(short_label(label)));
    return static_cast<double>(most) * column_width;
  }
};

inline constexpr std::string_view svg_style = R"(<style>
svg{--page:#ffffff;--ink:#1c2033;--soft:#6b7191;--empty:#eef0f7;--full:#4338ca;--on:#ffffff}
@media(prefers-color-scheme:dark){
svg{--page:#14161f;--ink:#e6e8f2;--soft:#9aa0bd;--empty:#222637;--full:#8c9bff;--on:#11131c}}
text{font-family:system-ui,-apple-system,"Segoe UI","Noto Sans","Noto Sans CJK SC","PingFang SC","Microsoft YaHei",
sans-serif;font-size:14px;fill:#1c2033;fill:var(--ink)}
.page{fill:#ffffff;fill:var(--page)}.empty{fill:#eef0f7;fill:var(--empty)}.full{fill:#4338ca;fill:var(--full)}
.stop{stop-color:#4338ca;stop-color:var(--full)}.row{text-anchor:end}.end{text-anchor:end}
.title{font-size:17px;font-weight:600}.soft{font-size:12px;fill:#6b7191;fill:var(--soft)}
.value{font-size:11.5px;text-anchor:middle;font-variant-numeric:tabular-nums;pointer-events:none}
.on{fill:#ffffff;fill:var(--on)}g.c:hover .empty{stroke:var(--full);stroke-width:2}
</style>
)";

inline std::string svg_text(double x, double y, std::string_view cls, std::string_view text,
                            std::string_view more = "") {
  std::string element = "<text x=\"" + decimal(x, 1) + "\" y=\"" + decimal(y, 1) + '"';
  if (!cls.empty()) element += " class=\"" + std::string(cls) + '"';
  return element + std::string(more) + '>' + xml_text(text) + "</text>\n";
}

inline std::string svg_rectangle(double x, double y, double width, double height, std::string_view more) {
  return "<rect x=\"" + decimal(x, 1) + "\" y=\"" + decimal(y, 1) + "\" width=\"" + decimal(width, 1) + "\" height=\"" +
         decimal(height, 1) + "\" rx=\"6\" " + std::string(more) + "/>";
}

inline std::string svg_cell(const Heatmap& map, const SvgLayout& at, Index row, Index column) {
  const double weight = map.weight(row, column), shade = clamped(weight), side = SvgLayout::cell - SvgLayout::gap;
  const double x = at.x(column), y = at.y(row);
  std::string cell = "<g class=\"c\"><title>" + xml_text(map.rows[static_cast<std::size_t>(row)]) + " \u2192 " +
                     xml_text(map.columns[static_cast<std::size_t>(column)]) + ": " + decimal(weight, 4) + "</title>" +
                     svg_rectangle(x, y, side, side, "class=\"empty\"");
  if (shade >= 0.005) {
    cell += svg_rectangle(x, y, side, side, "class=\"full\" fill-opacity=\"" + decimal(shade, 3) + '"');
  }
  if (shade >= 0.095) {  // two digits are readable, fewer are noise
    cell += svg_text(x + side / 2, y + side / 2 + 4, shade > 0.55 ? "value on" : "value", decimal(shade * 100, 0));
    cell.pop_back();
  }
  return cell + "</g>\n";
}

/// The scale, below the cells.
inline std::string svg_scale(const SvgLayout& at, double y) {
  std::string scale = R"(<defs><linearGradient id="s"><stop offset="0" class="stop" stop-opacity="0"/>)"
                      R"(<stop offset="1" class="stop"/></linearGradient></defs>)";
  scale +=
      svg_rectangle(at.left, y, 180, 10, "class=\"empty\"") + svg_rectangle(at.left, y, 180, 10, "fill=\"url(#s)\"");
  return scale + '\n' + svg_text(at.left, y + 28, "soft", "0 %") +
         svg_text(at.left + 90, y + 28, "soft", "attention", " text-anchor=\"middle\"") +
         svg_text(at.left + 180, y + 28, "soft end", "100 %");
}

/// The beginning of a drawing: its size, style, background and title.
inline std::string svg_page(const std::string& title, double margin, double page_width, double page_height) {
  const std::string width = decimal(page_width, 0), height = decimal(page_height, 0);
  const std::string label = xml_text(title.empty() ? "Attention weights" : title);
  std::string svg = "<svg xmlns=\"http://www.w3.org/2000/svg\" role=\"img\" aria-label=\"" + label + "\" width=\"" +
                    width + "\" height=\"" + height + "\" viewBox=\"0 0 " + width + ' ' + height + "\">\n";
  svg += svg_style;
  svg += "<rect class=\"page\" width=\"100%\" height=\"100%\"/>\n";
  if (!title.empty()) svg += svg_text(margin, 38, "title", title);
  return svg;
}

}  // namespace detail

/// A self-contained SVG: a cell per weight with its percentage, the whole labels and the weight as a tooltip.
inline std::string heatmap_svg(const Heatmap& map) {
  const detail::SvgLayout at(map);
  std::string svg = detail::svg_page(map.title, detail::SvgLayout::margin, at.width, at.height);
  const auto columns = static_cast<Index>(map.columns.size()), rows = static_cast<Index>(map.rows.size());
  for (Index j = 0; j < columns; ++j) {
    const double x = at.x(j) + detail::SvgLayout::cell / 2, y = at.top - detail::SvgLayout::label_gap;
    svg += detail::svg_text(x, y, "", detail::short_label(map.columns[static_cast<std::size_t>(j)]),
                            " transform=\"rotate(-45 " + detail::decimal(x, 1) + ' ' + detail::decimal(y, 1) + ")\"");
  }
  for (Index i = 0; i < rows; ++i) {
    svg += detail::svg_text(at.left - detail::SvgLayout::label_gap, at.y(i) + detail::SvgLayout::cell / 2 + 3.5, "row",
                            detail::short_label(map.rows[static_cast<std::size_t>(i)]));
    for (Index j = 0; j < columns; ++j) svg += detail::svg_cell(map, at, i, j);
  }
  return svg + detail::svg_scale(at, at.y(rows) + 22) + "</svg>\n";
}

/// A table with the labels as its first row and column, quoted as RFC 4180 says.
inline std::string heatmap_csv(const Heatmap& map) {
  const auto field = [](std::string_view text) {
    std::string quoted_field = "\"";
    for (const char c : text) quoted_field += c == '"' ? std::string("\"\"") : std::string(1, c);
    return quoted_field + '"';
  };
  std::string csv = field("");
  for (const std::string& column : map.columns) csv += ',' + field(column);
  csv += '\n';
  for (std::size_t i = 0; i < map.rows.size(); ++i) {
    csv += field(map.rows[i]);
    for (std::size_t j = 0; j < map.columns.size(); ++j) {
      csv += ',' + detail::decimal(map.weight(static_cast<Index>(i), static_cast<Index>(j)), 6);
    }
    csv += '\n';
  }
  return csv;
}

}  // namespace heed::inline HEED_ABI
