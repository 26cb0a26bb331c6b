// score: the scores of Luong, of the cosine and of a temperature over one head. All in double.

#include <optional>

#include <heed/attention/cosine.hpp>
#include <heed/attention/local_luong.hpp>
#include <heed/attention/scaled_dot_product.hpp>
#include <heed/attention/scaled_dot_product_backward.hpp>
#include <heed/nn/parameters.hpp>

#include "folded.hpp"
#include "registry.hpp"

namespace conformance {
namespace {

using Matrix = Tensor<double, 2>;
using Sequence = Tensor<double, 3>;

struct Given {
  Sequence query, key, value, upstream;
  std::vector<Index> lengths;
  heed::ReadMask mask;

  explicit Given(const Case& golden)
      : query(golden.given<double, 3>("q")),
        key(golden.given<double, 3>("k")),
        value(golden.given<double, 3>("v")),
        upstream(golden.given<double, 3>("grad_out")) {
    if (!golden.gives("lengths")) return;
    lengths = given_indices(golden, "lengths");
    mask = heed::ReadMask(lengths);
  }
  Given(const Given&) = delete;
  Given& operator=(const Given&) = delete;
};

/// Reads the memory and hands back everything but the parameters' gradients; project_backward(memory gradient) gives
/// d_key.
template <class Attention, class ProjectBackward>
void read(Case& golden, const Given& given, const Attention& attention, Attention& grad,
          const ProjectBackward& project_backward) {
  typename Attention::Cache cache;
  const Sequence memory = attention.project(given.key);
  const auto result = attention.forward(given.query, memory, given.value, given.mask, &cache);
  golden.answer("out", result.context);
  golden.answer("weights", result.weights);
  auto memory_grad = heed::zero_memory_gradient(memory, given.value);
  golden.answer("grad_q",
                attention.backward(given.upstream, cache, memory, given.value, given.mask, grad, memory_grad));
  golden.answer("grad_v", memory_grad.values);
  golden.answer("grad_k", project_backward(memory_grad));
}

void run_luong(Case& golden) {
  const Given given(golden);
  heed::LuongAttention<double> attention;
  const bool concat = golden.operation() == "luong_concat", dot = golden.operation() == "luong_dot";
  const Index width = given.query.dimension(2);
  if (concat) {  // W is (2 width, units): the rows of the query, then those of the key
    attention.kind = heed::LuongScore::concat;
    const Matrix both = transposed(golden.given<double, 2>("W"));
    const Index units = both.dimension(0);
    attention.concat.query.weight = both.slice(Eigen::array<Index, 2>{0, 0}, Eigen::array<Index, 2>{units, width});
    attention.concat.key.weight = both.slice(Eigen::array<Index, 2>{0, width}, Eigen::array<Index, 2>{units, width});
    attention.concat.score.weight = golden.given<double, 1>("va").reshape(Eigen::array<Index, 2>{1, units});
  } else if (!dot) {
    attention.kind = heed::LuongScore::general;
    attention.general.weight = golden.given<double, 2>("W");
  }
  heed::LuongAttention<double> grad = heed::zeros_like(attention);
  read(golden, given, attention, grad,
       [&](const auto& memory) { return attention.project_backward(given.key, memory, grad); });
  if (concat) {
    const Matrix both = grad.concat.query.weight.concatenate(grad.concat.key.weight, 1);
    golden.answer("grad.W", transposed(both));
    answer_as(golden, "grad.va", golden.given_shape("va"), grad.concat.score.weight);
  } else if (!dot) {
    golden.answer("grad.W", grad.general.weight);
  }
}

/// W_p is (in, out); every key takes part, however far from the predicted place.
void run_local_luong(Case& golden) {
  const Given given(golden);
  heed::LocalLuongAttention<double> attention;
  attention.content.kind = heed::LuongScore::general;
  attention.content.general.weight = golden.given<double, 2>("W");
  attention.position.weight = transposed(golden.given<double, 2>("W_p"));
  attention.position_score = golden.given<double, 1>("v_p");
  attention.window = golden.option<double>("window");
  heed::LocalLuongAttention<double> grad = heed::zeros_like(attention);
  read(golden, given, attention, grad,
       [&](const auto& memory) { return attention.project_backward(given.key, memory, grad); });
  heed::LocalLuongAttention<double>::Cache cache;
  attention.forward(given.query, attention.project(given.key), given.value, given.mask, &cache);
  golden.answer("position", cache.positions);
  golden.answer("grad.W", grad.content.general.weight);
  golden.answer("grad.W_p", transposed(grad.position.weight));
  golden.answer("grad.v_p", grad.position_score);
}

void run_cosine(Case& golden) {
  const Given given(golden);
  const bool learned = golden.gives("log_scale");
  heed::CosineAttention<double> attention({.temperature = golden.option<double>("tau", 1)});
  if (learned) attention.log_scale = golden.given<double, 0>("log_scale").reshape(Eigen::array<Index, 1>{1});
  heed::CosineAttention<double> grad = heed::zeros_like(attention);
  read(golden, given, attention, grad,
       [&](const auto& memory) { return attention.project_backward(given.key, memory); });
  if (learned) answer_as(golden, "grad.log_scale", {}, grad.log_scale);
}

Tensor<double, 4> one_head(const Sequence& x) {
  return x.reshape(Eigen::array<Index, 4>{x.dimension(0), 1, x.dimension(1), x.dimension(2)});
}

/// Scaled dot products with a temperature, a soft cap or a sink of 0, which is softmax with one more in its denominator.
void run_scaled(Case& golden) {
  const Given given(golden);
  const auto query = one_head(given.query), key = one_head(given.key), value = one_head(given.value);
  heed::AttentionOptions<double> options{
      .softcap = golden.option<double>("softcap", 0), .return_weights = true, .return_logsumexp = true};
  if (golden.has_option("temperature")) options.scale = 1 / golden.option<double>("temperature");
  const Tensor<double, 1> sink = heed::zeros<double, 1>({1});
  if (golden.operation() == "softmax_one") options.sink = sink;
  const auto result = heed::attend(query, key, value, options);
  const std::vector<Index> shape = golden.given_shape("grad_out");
  answer_as(golden, "out", shape, result.output);
  answer_as(golden, "weights", with_last(shape, key.dimension(2)), result.weights);
  const auto d = heed::attend_backward(one_head(given.upstream), query, key, value, result, options);
  answer_as(golden, "grad_q", golden.given_shape("q"), d.query);
  answer_as(golden, "grad_k", golden.given_shape("k"), d.key);
  answer_as(golden, "grad_v", golden.given_shape("v"), d.value);
}

}  // namespace

void add_score(Registry& registry) {
  for (const char* name : {"luong_dot", "luong_general", "luong_concat", "multiplicative_masked"}) {
    registry.add(name, run_luong);
  }
  registry.add("luong_local_p", run_local_luong);
  registry.add("cosine", run_cosine);
  registry.add("cosine_learned_scale", run_cosine);
  for (const char* name : {"temperature", "softcap", "softmax_one"}) registry.add(name, run_scaled);
}

}  // namespace conformance
