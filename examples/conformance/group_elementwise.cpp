// activation and softmax (torch), Softmax, LogSoftmax, Gelu and Swish (onnx): the rows that every layer is made of, applied to tensors of any rank.

#include <functional>

#include <heed/core/thread_pool.hpp>
#include <heed/kernels/activation.hpp>
#include <heed/kernels/softmax.hpp>

#include "folded.hpp"
#include "registry.hpp"

namespace conformance {
namespace {

heed::Activation activation_of(const std::string& name) {
  using A = heed::Activation;
  const std::pair<const char*, A> names[] = {
      {"relu", A::relu},         {"gelu_erf", A::gelu}, {"gelu_tanh", A::gelu_tanh},
      {"silu", A::silu},         {"tanh", A::tanh},     {"sigmoid", A::sigmoid},
      {"softplus", A::softplus}, {"elu", A::elu},       {"leaky_relu", A::leaky_relu}};
  for (const auto& [known, activation] : names) {
    if (name == known) return activation;
  }
  throw NotOffered("the activation " + name);
}

template <class T>
void run_activation(Case& golden) {
  const heed::Activation activation = activation_of(golden.operation());
  const heed::ActivationOptions options{.alpha = golden.operation() == "leaky_relu" ? 0.01 : 1.0};
  const std::vector<T> x = golden.given_values<T>("x"), d_y = golden.given_values<T>("grad_out");
  Tensor<T, 1> y(static_cast<Index>(x.size())), d_x(static_cast<Index>(x.size()));
  heed::activation_row(activation, x.data(), y.data(), y.size(), options);
  heed::activation_backward_row(activation, x.data(), d_y.data(), d_x.data(), y.size(), options);
  answer_as(golden, "out", golden.given_shape("x"), y);
  answer_as(golden, "grad_x", golden.given_shape("x"), d_x);
}

/// A tensor as (outer, axis, inner); rows along the axis are gathered, worked on and scattered back.
struct AxisLayout {
  Index outer = 1, size = 1, inner = 1;

  AxisLayout(const std::vector<Index>& shape, Index axis) {
    const auto rank = static_cast<Index>(shape.size());
    const Index at = axis < 0 ? axis + rank : axis;
    if (at < 0 || at >= rank) throw NotOffered("the axis " + std::to_string(axis));
    for (Index i = 0; i < rank; ++i) (i < at ? outer : i == at ? size : inner) *= shape[static_cast<std::size_t>(i)];
  }
  template <class Body>
  void for_each_row(const Body& body) const {
    heed::ExecutorRef executor = heed::default_executor();
    executor.parallel_for(outer * inner, [&](Index row) { body(row / inner * size * inner + row % inner); });
  }
};

template <class T>
std::vector<T> gathered(const std::vector<T>& from, Index first, const AxisLayout& layout) {
  std::vector<T> row;
  for (Index i = 0; i < layout.size; ++i) row.push_back(from[static_cast<std::size_t>(first + i * layout.inner)]);
  return row;
}
template <class T>
void scatter(const std::vector<T>& row, Index first, const AxisLayout& layout, Tensor<T, 1>& to) {
  for (Index i = 0; i < layout.size; ++i) to(first + i * layout.inner) = row[static_cast<std::size_t>(i)];
}

/// row(values, size) in place over every row along an axis -> all values in their places.
template <class T, class Row>
Tensor<T, 1> along_axis(const std::vector<T>& x, const AxisLayout& layout, const Row& row) {
  Tensor<T, 1> y(static_cast<Index>(x.size()));
  layout.for_each_row([&](Index first) {
    std::vector<T> values = gathered(x, first, layout);
    row(values, first);
    scatter(values, first, layout, y);
  });
  return y;
}

template <class T>
void softmax_in_place(std::vector<T>& row, bool logarithm) {
  const auto n = static_cast<Index>(row.size());
  logarithm ? heed::log_softmax_row(row.data(), row.data(), n, n) : heed::softmax_row(row.data(), row.data(), n, n);
}

template <class T>
void run_softmax(Case& golden) {
  const bool logarithm = golden.operation() == "torch.log_softmax";
  const AxisLayout layout(golden.given_shape("x"), golden.option<Index>("dim"));
  const std::vector<T> x = golden.given_values<T>("x"), d_y = golden.given_values<T>("grad_out");
  const Index n = layout.size;
  const auto forward = [&](std::vector<T>& row, Index) { softmax_in_place(row, logarithm); };
  const Tensor<T, 1> out = along_axis(x, layout, forward);
  const std::vector<T> y(out.data(), out.data() + out.size());
  const Tensor<T, 1> d_x = along_axis(d_y, layout, [&](std::vector<T>& slope, Index first) {
    const std::vector<T> row = gathered(y, first, layout);
    if (logarithm) {
      heed::log_softmax_backward_row(row.data(), slope.data(), slope.data(), n, n);
    } else {
      heed::softmax_backward_row(row.data(), slope.data(), slope.data(), n, n);
    }
  });
  answer_as(golden, "out", golden.given_shape("x"), out);
  answer_as(golden, "grad_x", golden.given_shape("x"), d_x);
}

void run_onnx_softmax(Case& golden) {
  const bool logarithm = golden.operation() == "LogSoftmax";
  const AxisLayout layout(golden.given_shape("input.x"), golden.json().at("attributes").value("axis", Index{-1}));
  const auto forward = [&](std::vector<float>& row, Index) { softmax_in_place(row, logarithm); };
  answer_as(golden, "output.y", golden.given_shape("input.x"), along_axis(golden.given_values<float>("input.x"), layout, forward));
}

void run_onnx_gelu(Case& golden) {
  const auto approximate = golden.json().at("attributes").value("approximate", std::string("none"));
  if (approximate != "none" && approximate != "tanh") throw NotOffered("Gelu with approximate " + approximate);
  const std::vector<float> x = golden.given_values<float>("input.x");
  Tensor<float, 1> y(static_cast<Index>(x.size()));
  heed::activation_row(approximate == "tanh" ? heed::Activation::gelu_tanh : heed::Activation::gelu, x.data(), y.data(), y.size());
  answer_as(golden, "output.y", golden.given_shape("input.x"), y);
}

/// x sigmoid(alpha x) = silu(alpha x) / alpha.
void run_onnx_swish(Case& golden) {
  const float alpha = golden.json().at("attributes").value("alpha", 1.0f);
  if (alpha == 0) throw NotOffered("Swish with alpha 0");
  std::vector<float> x = golden.given_values<float>("input.x");
  for (float& value : x) value *= alpha;
  Tensor<float, 1> y(static_cast<Index>(x.size()));
  heed::activation_row(heed::Activation::silu, x.data(), y.data(), y.size());
  answer_as(golden, "output.y", golden.given_shape("input.x"), Tensor<float, 1>(y / alpha));
}

}  // namespace

void add_elementwise(Registry& registry) {
  for (const char* name :
       {"relu", "gelu_erf", "gelu_tanh", "silu", "tanh", "sigmoid", "softplus", "elu", "leaky_relu"}) {
    registry.add(name, run_activation<float>, run_activation<double>);
  }
  registry.add("torch.softmax", run_softmax<float>, run_softmax<double>);
  registry.add("torch.log_softmax", run_softmax<float>, run_softmax<double>);
  registry.add("Softmax", run_onnx_softmax);
  registry.add("LogSoftmax", run_onnx_softmax);
  registry.add("Gelu", run_onnx_gelu);
  registry.add("Swish", run_onnx_swish);
}

}  // namespace conformance
