#include "registry.hpp"

namespace conformance {

void Registry::add(const std::string& operation, Runner for_float, Runner for_double) {
  runners_[operation] = for_float;
  double_runners_[operation] = for_double;
}

void Registry::run(Case& golden) const {
  const auto found = runners_.find(golden.operation());
  if (found == runners_.end()) throw NotOffered("the operation " + golden.operation());
  const auto of_double = double_runners_.find(golden.operation());
  const bool real = of_double != double_runners_.end();
  if (real && golden.dtype() != "float32" && golden.dtype() != "float64")
    throw NotOffered("the dtype " + golden.dtype());
  (real && golden.dtype() == "float64" ? of_double->second : found->second)(golden);
}

Registry all_operations() {
  Registry registry;
  add_attention(registry);
  add_bahdanau(registry);
  add_bleu(registry);
  add_cross_entropy(registry);
  add_decoding(registry);
  add_elementwise(registry);
  add_gru(registry);
  add_keras_attention(registry);
  add_keras_multi_head(registry);
  add_keras_optimizer(registry);
  add_layers(registry);
  add_linear_attention(registry);
  add_multi_head(registry);
  add_norm(registry);
  add_onnx_attention(registry);
  add_onnx_optimizer(registry);
  add_optimizer(registry);
  add_position(registry);
  add_relative(registry);
  add_schedule(registry);
  add_score(registry);
  add_seed(registry);
  add_seq2seq(registry);
  return registry;
}

}  // namespace conformance
