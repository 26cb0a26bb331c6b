#pragma once
// Which function answers the cases of an operation.

#include <map>
#include <string>

#include "golden_case.hpp"

namespace conformance {

using Runner = void (*)(Case&);

class Registry {
 public:
  /// Cases of this operation go to `runner`.
  void add(const std::string& operation, Runner runner) { runners_[operation] = runner; }
  /// The same, chosen by the case's dtype: float32 or float64.
  void add(const std::string& operation, Runner for_float, Runner for_double);
  /// Answers a case. Throws NotOffered when no runner knows its operation.
  void run(Case& golden) const;

 private:
  std::map<std::string, Runner> runners_, double_runners_;
};

// One per file group_<name>.cpp.
void add_attention(Registry& registry);
void add_bahdanau(Registry& registry);
void add_bleu(Registry& registry);
void add_cross_entropy(Registry& registry);
void add_decoding(Registry& registry);
void add_elementwise(Registry& registry);
void add_gru(Registry& registry);
void add_keras_attention(Registry& registry);
void add_keras_multi_head(Registry& registry);
void add_keras_optimizer(Registry& registry);
void add_layers(Registry& registry);
void add_linear_attention(Registry& registry);
void add_multi_head(Registry& registry);
void add_norm(Registry& registry);
void add_onnx_attention(Registry& registry);
void add_onnx_optimizer(Registry& registry);
void add_optimizer(Registry& registry);
void add_position(Registry& registry);
void add_relative(Registry& registry);
void add_schedule(Registry& registry);
void add_score(Registry& registry);
void add_seed(Registry& registry);
void add_seq2seq(Registry& registry);

/// All of them.
Registry all_operations();

}  // namespace conformance
