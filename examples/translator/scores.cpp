#include "scores.hpp"

#include <vector>

#include <heed/text/bleu.hpp>
#include <heed/text/chrf.hpp>

namespace translator {

Scores scores_of(std::span<const std::string> hypotheses, std::span<const std::string> references,
                 heed::Language language) {
  const heed::References all{{references.begin(), references.end()}};
  const bool chinese = language == heed::Language::chinese;
  const heed::BleuOptions bleu{.tokenizer = chinese ? heed::BleuTokenizer::chinese : heed::BleuTokenizer::mteval_13a};
  const heed::ChrfOptions chrf;
  Scores scores{.bleu = heed::corpus_bleu(hypotheses, all, bleu).score,
                .chrf = heed::corpus_chrf(hypotheses, all, chrf),
                .bleu_signature = heed::bleu_signature(bleu, 1),
                .chrf_signature = heed::chrf_signature(chrf, 1)};
  for (std::size_t i = 0; i < hypotheses.size(); ++i) scores.exact += hypotheses[i] == references[i] ? 1 : 0;
  return scores;
}

}  // namespace translator
