// bahdanau: additive attention as the seed's Keras class has it, W1 for the query, W2 for the values, V for the score.

#include <heed/attention/bahdanau.hpp>

#include "keras_weights.hpp"
#include "registry.hpp"

namespace conformance {
namespace {

template <class T>
void run_bahdanau(Case& golden) {
  const heed::BahdanauAttention<T> attention = bahdanau_from_keras<T>(golden, "");
  const Tensor<T, 2> query = golden.given<T, 2>("query");
  const Tensor<T, 3> values = golden.given<T, 3>("values");
  Tensor<bool, 4> visible;
  heed::ReadMask mask;
  if (golden.gives("mask")) {
    const Tensor<bool, 2> given = golden.given<bool, 2>("mask");
    visible = given.reshape(Eigen::array<Index, 4>{given.dimension(0), 1, 1, given.dimension(1)});
    mask = heed::ReadMask(heed::boolean_mask(visible));
  }
  typename heed::BahdanauAttention<T>::Cache cache;
  const Tensor<T, 3> memory = attention.project(values);
  const auto read = attention.forward(query, memory, values, mask, &cache);
  golden.answer("context", read.context);
  answer_as(golden, "attention_weights", golden.given_shape("grad_attention_weights"), read.weights);

  heed::BahdanauAttention<T> grad = heed::zeros_like(attention);
  auto memory_grad = heed::zero_memory_gradient(memory, values);
  const Tensor<T, 2> d_weights = golden.given<T, 3>("grad_attention_weights").reshape(read.weights.dimensions());
  golden.answer("grad_query", attention.backward(golden.given<T, 2>("grad_context"), cache, memory, values, mask, grad,
                                                 memory_grad, d_weights));
  const Tensor<T, 3> d_keys = attention.project_backward(values, memory_grad, grad);
  golden.answer("grad_values", Tensor<T, 3>(memory_grad.values + d_keys));
  answer_keras_bahdanau(golden, "", grad);
}

}  // namespace

void add_bahdanau(Registry& registry) {
  registry.add("BahdanauAttention (seed: W1, W2, V dense layers with biases)", run_bahdanau<float>,
               run_bahdanau<double>);
}

}  // namespace conformance
