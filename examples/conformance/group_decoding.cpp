// decoding: beam search over a table of log-probabilities of the next token given the last.

#include <heed/models/generate.hpp>

#include "registry.hpp"

namespace conformance {
namespace {

/// A decoder whose next token depends on the last one alone.
class TableDecoder {
 public:
  explicit TableDecoder(const std::vector<std::vector<double>>& table) : table_(table) {}
  Index vocab_size() const { return static_cast<Index>(table_.size()); }
  Index rows() const { return rows_; }
  void reorder(std::span<const Index> parents) { rows_ = static_cast<Index>(parents.size()); }
  heed::MatrixView<double> step(std::span<const Index> tokens) {
    scores_.clear();
    for (const Index token : tokens) {
      const auto& row = table_[static_cast<std::size_t>(token)];
      scores_.insert(scores_.end(), row.begin(), row.end());
    }
    return {scores_.data(), static_cast<Index>(tokens.size()), vocab_size()};
  }

 private:
  std::vector<std::vector<double>> table_;
  std::vector<double> scores_;
  Index rows_ = 1;
};

std::string token_text(const std::vector<Index>& tokens) {
  std::string text;
  for (const Index token : tokens) text += (text.empty() ? "" : " ") + std::to_string(token);
  return text;
}

heed::GenerateOptions options_of(const Case& golden) {
  heed::GenerateOptions options;
  options.bos = golden.option<Index>("bos");
  options.eos = golden.option<Index>("eos");
  options.max_length = golden.option<Index>("max_steps");
  options.suppressed = {options.bos};
  options.scores = heed::StepScores::log_probabilities;
  options.beam = golden.option<Index>("beam");
  options.n_best = options.beam;
  options.alpha = golden.option<double>("length_penalty_alpha");
  options.length_penalty = heed::LengthPenalty::gnmt;
  return options;
}

void compare_hypothesis(Case& golden, const std::string& what, const heed::Hypothesis& found,
                        const nlohmann::json& wanted) {
  golden.answer_text(what + ".tokens", token_text(found.tokens),
                     token_text(heed::json_field<std::vector<Index>>(wanted, "tokens", golden.id())));
  golden.answer_expected(what + ".score", found.score, heed::json_field<double>(wanted, "score", golden.id()));
  if (wanted.contains("log_prob")) golden.answer_expected(what + ".log_prob", found.log_prob, wanted["log_prob"]);
}

/// A beam as wide as the vocabulary to the power of the length keeps every sequence: it must find the best of all.
void compare_exhaustive(Case& golden, const TableDecoder& table, heed::GenerateOptions options) {
  TableDecoder decoder = table;
  Index all = 1;
  for (Index step = 1; step < options.max_length && all < 100'000; ++step) all *= table.vocab_size();
  options.beam = all;
  options.n_best = 1;
  compare_hypothesis(golden, "best_of_all_sequences", heed::beam_search(decoder, options).front().front(),
                     golden.json().at("best_of_all_sequences"));
}

void run_beam(Case& golden) {
  const TableDecoder table(heed::json_field<std::vector<std::vector<double>>>(golden.json(), "log_prob", golden.id()));
  const heed::GenerateOptions options = options_of(golden);
  TableDecoder decoder = table;
  const std::vector<heed::Hypothesis> found = heed::beam_search(decoder, options).front();
  const nlohmann::json& wanted = golden.json().at("n_best");
  if (found.size() != wanted.size()) throw Mismatch("n_best has " + std::to_string(found.size()) + " hypotheses");
  for (std::size_t i = 0; i < found.size(); ++i) {
    compare_hypothesis(golden, "n_best[" + std::to_string(i) + "]", found[i], wanted[i]);
  }
  compare_exhaustive(golden, table, options);
}

}  // namespace

void add_decoding(Registry& registry) { registry.add("beam search over a bigram table", run_beam); }

}  // namespace conformance
