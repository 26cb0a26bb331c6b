// activation and softmax (torch): the rows that every layer is made of, applied to tensors of any rank.

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

template <class T>
void run_softmax(Case& golden) {
  const bool logarithm = golden.operation() == "torch.log_softmax";
  const AxisLayout layout(golden.given_shape("x"), golden.option<Index>("dim"));
  const std::vector<T> x = golden.given_values<T>("x"), d_y = golden.given_values<T>("grad_out");
  Tensor<T, 1> out(static_cast<Index>(x.size())), d_x(static_cast<Index>(x.size()));
  const Index n = layout.size;
  layout.for_each_row([&](Index first) {
    std::vector<T> row = gathered(x, first, layout), slope = gathered(d_y, first, layout);
    if (logarithm) {
      heed::log_softmax_row(row.data(), row.data(), n, n);
      heed::log_softmax_backward_row(row.data(), slope.data(), slope.data(), n, n);
    } else {
      heed::softmax_row(row.data(), row.data(), n, n);
      heed::softmax_backward_row(row.data(), slope.data(), slope.data(), n, n);
    }
    scatter(row, first, layout, out);
    scatter(slope, first, layout, d_x);
  });
  answer_as(golden, "out", golden.given_shape("x"), out);
  answer_as(golden, "grad_x", golden.given_shape("x"), d_x);
}

}  // namespace

void add_elementwise(Registry& registry) {
  for (const char* name :
       {"relu", "gelu_erf", "gelu_tanh", "silu", "tanh", "sigmoid", "softplus", "elu", "leaky_relu"}) {
    registry.add(name, run_activation<float>, run_activation<double>);
  }
  registry.add("torch.softmax", run_softmax<float>, run_softmax<double>);
  registry.add("torch.log_softmax", run_softmax<float>, run_softmax<double>);
}

}  // namespace conformance
