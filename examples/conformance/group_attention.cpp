// sdpa: scaled dot-product attention with every mask, and its gradients; the seed's single-head self-attention.

#include <heed/attention/scaled_dot_product.hpp>
#include <heed/attention/scaled_dot_product_backward.hpp>

#include "keras_weights.hpp"
#include "registry.hpp"

namespace conformance {
namespace {

/// A mask of rank 2 to 4, kept for as long as views of it are in use.
template <class T>
struct BroadcastTensor {
  Tensor<T, 4> values;
  std::vector<Index> shape;

  BroadcastTensor(const Case& golden, const std::string& name) : shape(golden.given_shape(name)) {
    if (shape.size() < 2 || shape.size() > 4) throw NotOffered("a mask of rank " + std::to_string(shape.size()));
    heed::Extents<4> extents{1, 1, 1, 1};
    std::copy_backward(shape.begin(), shape.end(), extents.end());
    values = Tensor<T, 4>(extents);
    if constexpr (std::is_same_v<T, bool>) {
      const std::vector<std::uint8_t> bytes = golden.given_values<std::uint8_t>(name);
      for (Index i = 0; i < values.size(); ++i) values.data()[i] = bytes[static_cast<std::size_t>(i)] != 0;
    } else {
      const std::vector<T> numbers = golden.given_values<T>(name);
      std::copy(numbers.begin(), numbers.end(), values.data());
    }
  }
};

template <class T>
void run_sdpa(Case& golden) {
  const auto query = golden.given<T, 4>("q"), key = golden.given<T, 4>("k"), value = golden.given<T, 4>("v");
  heed::AttentionOptions<T> options{.return_weights = true, .return_logsumexp = true};
  if (golden.has_option("scale")) options.scale = static_cast<T>(golden.option<double>("scale"));
  if (golden.option<bool>("is_causal", false)) options.mask = heed::causal(heed::Corner::top_left);
  std::optional<BroadcastTensor<bool>> boolean;
  std::optional<BroadcastTensor<T>> additive;
  if (golden.gives("mask") && golden.given_dtype("mask") == heed::DType::boolean) {
    boolean.emplace(golden, "mask");
    options.mask = options.mask & heed::boolean_mask(boolean->values);
  } else if (golden.gives("mask")) {
    additive.emplace(golden, "mask");
    options.bias = additive->values;
  }
  const heed::AttentionResult<T> result = heed::attend(query, key, value, options);
  golden.answer("out", result.output);
  golden.answer("weights", result.weights);
  golden.answer("lse", result.logsumexp);
  const auto d = heed::attend_backward(golden.given<T, 4>("grad_out"), query, key, value, result, options);
  golden.answer("grad_q", d.query);
  golden.answer("grad_k", d.key);
  golden.answer("grad_v", d.value);
  if (golden.expects("grad_mask")) answer_as(golden, "grad_mask", additive->shape, d.bias);
}

/// (rows, cols) as one sample of one head, and (batch, rows, cols) as one head.
template <class T>
Tensor<T, 4> one_head(const Tensor<T, 3>& x) {
  return x.reshape(Eigen::array<Index, 4>{x.dimension(0), 1, x.dimension(1), x.dimension(2)});
}
template <class T>
Tensor<T, 3> without_heads(const Tensor<T, 4>& x) {
  return x.reshape(Eigen::array<Index, 3>{x.dimension(0), x.dimension(2), x.dimension(3)});
}

/// The seed's self-attention: three projections without bias, 1 - mask added to the scores.
template <class T>
void run_seed_self_attention(Case& golden) {
  const Tensor<T, 3> x = golden.given<T, 3>("x");
  std::array<heed::Dense<T>, 3> project{dense_from_keras<T>(golden, "query."), dense_from_keras<T>(golden, "key."),
                                        dense_from_keras<T>(golden, "value.")};
  std::array<typename heed::Dense<T>::Cache, 3> caches;
  std::array<Tensor<T, 4>, 3> projected;
  for (std::size_t i = 0; i < 3; ++i) projected[i] = one_head(project[i].forward(x, &caches[i]));
  heed::AttentionOptions<T> options{.return_weights = true, .return_logsumexp = true};
  Tensor<T, 4> bias;
  if (golden.gives("mask")) {
    bias = one_head(Tensor<T, 3>(T(1) - golden.given<T, 3>("mask")));
    options.bias = bias;
  }
  const auto result = heed::attend(projected[0], projected[1], projected[2], options);
  golden.answer("out", without_heads(result.output));
  golden.answer("attention_weights", without_heads(result.weights));
  const auto d = heed::attend_backward(one_head(golden.given<T, 3>("grad_out")), projected[0], projected[1],
                                       projected[2], result, options);
  Tensor<T, 3> d_x = heed::zeros<T, 3>(heed::extents(x));
  const std::array<const char*, 3> names{"query.", "key.", "value."};
  const std::array<const Tensor<T, 4>*, 3> gradients{&d.query, &d.key, &d.value};
  for (std::size_t i = 0; i < 3; ++i) {
    heed::Dense<T> grad = heed::zeros_like(project[i]);
    d_x += project[i].backward(without_heads(*gradients[i]), caches[i], grad);
    answer_keras_dense(golden, names[i], grad);
  }
  golden.answer("grad_x", d_x);
}

}  // namespace

void add_attention(Registry& registry) {
  registry.add("scaled_dot_product_attention", run_sdpa<float>, run_sdpa<double>);
  registry.add("single-head self-attention of the seed (query/key/value dense, no bias, temperature sqrt(size))",
               run_seed_self_attention<float>, run_seed_self_attention<double>);
}

}  // namespace conformance
