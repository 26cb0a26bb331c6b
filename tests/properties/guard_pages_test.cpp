// No attention call reads or writes a byte outside its tensors, whatever its options: every tensor adjoins a page that
// may not be touched. Results are those of the same call in ordinary memory.

#include "properties/random_problem.hpp"
#include "support/guarded.hpp"

using namespace heed;
using namespace heed_test;

namespace {

/// A tensor's copy beside a forbidden page; null for an empty one.
template <class T, int Rank>
class GuardedTensor {
 public:
  GuardedTensor(const Tensor<T, Rank>& x, GuardSide side) : memory_(x.data(), x.size(), side), shape_(extents(x)) {}
  View<T, Rank> view() { return {shape_.size() > 0 ? memory_.data() : nullptr, shape_}; }
  Tensor<T, Rank> copy() {
    Tensor<T, Rank> x(shape_);
    std::copy_n(memory_.data(), x.size(), x.data());
    return x;
  }

 private:
  Guarded<T> memory_;
  Extents<Rank> shape_;
};

/// Axes of 1 in front are dropped down to `rank`, as AttentionProblem::options() drops them.
template <class T>
BroadcastView<T> of_rank(View<T, 4> x, int rank) {
  const Extents<4> e = x.extents;
  if (rank == 2) return View<const T, 2>(x.data, {e[2], e[3]});
  if (rank == 3) return View<const T, 3>(x.data, {e[1], e[2], e[3]});
  return View<const T, 4>(x.data, e);
}

/// Forward and backward of `p` with every tensor guarded; results in ordinary memory.
template <class T>
Everything<T> guarded_everything(const AttentionProblem<T>& p, const Everything<T>& like, GuardSide side) {
  GuardedTensor<T, 4> query(p.query, side), key(p.key, side), value(p.value, side), d_output(p.d_output, side);
  GuardedTensor<T, 4> bias(p.bias, side), output(like.forward.output, side), weights(like.forward.weights, side);
  GuardedTensor<std::uint8_t, 4> allowed(p.allowed, side);
  GuardedTensor<T, 1> slopes(p.slopes, side), sink(p.sink, side), d_sink(like.gradients.sink, side);
  GuardedTensor<T, 3> logsumexp(like.forward.logsumexp, side), row_max(like.forward.row_max, side);
  GuardedTensor<T, 3> entropy(like.forward.entropy, side), key_sums(like.forward.key_sums, side);
  GuardedTensor<T, 4> d_query(like.gradients.query, side), d_key(like.gradients.key, side);
  GuardedTensor<T, 4> d_value(like.gradients.value, side), d_bias(like.gradients.bias, side);

  AttentionOptions<T> options = p.options();
  if (p.allowed.size() > 0) options.mask.boolean = of_rank(allowed.view(), p.allowed_rank);
  if (p.bias.size() > 0) options.bias = of_rank(bias.view(), p.bias_rank);
  if (p.slopes.size() > 0) options.alibi_slopes = slopes.view();
  if (p.sink.size() > 0) options.sink = sink.view();
  const AttentionShape shape = attention_shape<T>(query.view(), key.view(), value.view());
  const AttentionOutputs<T> outputs{output.view(),  weights.view(), logsumexp.view(),
                                    row_max.view(), entropy.view(), key_sums.view()};
  Workspace workspace(std::max(workspace_bytes<T>(shape, options, 1), backward_workspace_bytes<T>(shape, options, 1)));
  Serial serial;
  attend_into<T>(outputs, query.view(), key.view(), value.view(), options, workspace, serial);
  AttentionGradientViews<T> grad{d_query.view(), d_key.view(), d_value.view()};
  if (p.bias.size() > 0) grad.bias = d_bias.view();
  if (p.sink.size() > 0) grad.sink = d_sink.view();
  attend_backward_into<T>(grad, d_output.view(), query.view(), key.view(), value.view(), outputs, options, workspace,
                          serial);
  return {{output.copy(), weights.copy(), logsumexp.copy(), row_max.copy(), entropy.copy(), key_sums.copy()},
          {d_query.copy(), d_key.copy(), d_value.copy(), d_bias.copy(), d_sink.copy()}};
}

}  // namespace

TEMPLATE_TEST_CASE("attention stays inside its tensors, forward and backward, with any options", "[properties]", float,
                   double) {
  const GuardSide side = GENERATE(GuardSide::behind, GuardSide::in_front);
  const Size size = GENERATE(Size::tiles, Size::decode);
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    const auto p = random_problem<TestType>(seed, size);
    INFO("seed " << seed << ": " << description(p));
    const auto wanted = everything(p);
    CHECK(different(guarded_everything(p, wanted, side), wanted) == "");
  }
}

TEMPLATE_TEST_CASE("attention stays inside its tensors at the head dims that have loops of their own", "[properties]",
                   float, double) {
  const GuardSide side = GENERATE(GuardSide::behind, GuardSide::in_front);
  for (const Index width : {32, 33, 64, 65, 128, 129})
    for (const Index queries : {1, 7, 65}) {
      const auto p = plain_problem<TestType>({1, 2, 1, queries, 67, width, width});
      INFO(description(p));
      const auto wanted = everything(p);
      CHECK(different(guarded_everything(p, wanted, side), wanted) == "");
    }
}
