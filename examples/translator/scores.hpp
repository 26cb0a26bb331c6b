#pragma once
// How good translations are: sacreBLEU's BLEU and chrF with one reference, and how many are equal to it.

#include <span>
#include <string>

#include <heed/core/view.hpp>
#include <heed/text/tokenizer.hpp>

namespace translator {

struct Scores {
  double bleu = 0, chrf = 0;  ///< 0 to 100
  std::string bleu_signature, chrf_signature;
  heed::Index exact = 0;
};

/// BLEU's tokenizer is "zh" for Chinese and "13a" for the rest.
Scores scores_of(std::span<const std::string> hypotheses, std::span<const std::string> references,
                 heed::Language language);

}  // namespace translator
