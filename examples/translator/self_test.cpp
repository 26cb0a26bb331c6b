#include "self_test.hpp"

#include <cmath>
#include <string>
#include <vector>

#include <heed/core/check.hpp>
#include <heed/kernels/softmax.hpp>
#include <heed/text/batches.hpp>

namespace translator {
namespace {

using heed::Index;

constexpr Index words = 8;

/// Ids from all over a vocabulary, the symbols for padding, start and end left out.
std::vector<double> spread_ids(const heed::Vocabulary& vocabulary) {
  const Index first = heed::unknown_id, count = vocabulary.size() - first;
  std::vector<double> ids;
  for (Index i = 0; i < words; ++i) ids.push_back(static_cast<double>(first + i * count / words));
  return ids;
}

std::vector<Index> ids_of(const heed::NumberLists& input, const char* name, const heed::Vocabulary& vocabulary) {
  const auto found = input.find(name);
  heed::check(found != input.end() && !found->second.empty(),
              [&] { return "the self-test has no input \"" + std::string(name) + '"'; });
  std::vector<Index> ids;
  for (const double number : found->second) {
    const bool is_id = number >= 0 && number < static_cast<double>(vocabulary.size()) && number == std::floor(number);
    heed::check(is_id, [&] {
      return "the self-test's input \"" + std::string(name) + "\" holds " + std::to_string(number) +
             ", wanted ids from 0 to " + std::to_string(vocabulary.size() - 1);
    });
    ids.push_back(static_cast<Index>(number));
  }
  return ids;
}

}  // namespace

heed::NumberLists self_test_output(const TranslationModel& model, const heed::NumberLists& input) {
  const heed::EncodedPair pair{ids_of(input, "source", model.source.vocabulary),
                               ids_of(input, "target", model.target.vocabulary)};
  const std::vector<Index> place{0};
  const heed::TokenBatch batch = heed::make_batch({&pair, 1}, place);
  const heed::Tensor<float, 3> logits = model.network.score(batch).logits;
  const Index vocab = logits.dimension(2);
  std::vector<double> log_probs;
  for (Index step = 0; step < logits.dimension(1); ++step) {
    const float* const row = logits.data() + step * vocab;
    const double token = static_cast<double>(row[batch.target_output(0, step)]);
    log_probs.push_back(token - static_cast<double>(heed::logsumexp_row(row, vocab)));
  }
  return {{"log_probs", log_probs}};
}

std::optional<heed::SelfTest> make_self_test(const TranslationModel& model) {
  heed::SelfTest test;
  test.input = {{"source", spread_ids(model.source.vocabulary)}, {"target", spread_ids(model.target.vocabulary)}};
  test.output = self_test_output(model, test.input);
  for (const double number : test.output.at("log_probs")) {
    if (!std::isfinite(number)) return std::nullopt;
  }
  return test;
}

}  // namespace translator
