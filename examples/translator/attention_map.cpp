#include "attention_map.hpp"

#include <unistd.h>

#include <heed/io/heatmap.hpp>
#include <heed/io/heatmap_terminal.hpp>

#include "console.hpp"

namespace translator {
namespace {

heed::Heatmap heatmap_of(const TranslationModel& model, const Translation& translation) {
  const heed::Tensor<float, 2> weights = attention_weights(model, translation);
  std::vector<std::string> rows, columns = translation.source_words;
  for (const heed::Index id : translation.ids.target) rows.push_back(model.target.vocabulary.token(id));
  columns.emplace_back(heed::special_symbols[heed::end_id]);
  return heed::make_heatmap(heed::as_matrix(weights), std::move(rows), std::move(columns), translation.text);
}

}  // namespace

std::string attention_text(const TranslationModel& model, const Translation& translation) {
  const bool rich = output_is_rich();
  heed::Heatmap map = heatmap_of(model, translation);
  map.title.clear();
  return heed::heatmap_text(map, {.style = rich ? heed::HeatmapStyle::colour : heed::HeatmapStyle::plain,
                                  .columns = rich ? output_columns() : 100});
}

std::string attention_svg(const TranslationModel& model, const Translation& translation) {
  return heed::heatmap_svg(heatmap_of(model, translation));
}

}  // namespace translator
