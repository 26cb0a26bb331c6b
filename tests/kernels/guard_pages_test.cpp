// No kernel reads or writes a byte outside its tensors: every tensor adjoins a page that may not be touched, behind it
// or in front, with every tail and so at every alignment of its first element.

#include <heed/kernels/activation.hpp>
#include <heed/kernels/additive.hpp>
#include <heed/kernels/cross_entropy.hpp>
#include <heed/kernels/finite.hpp>
#include <heed/kernels/gemm.hpp>
#include <heed/kernels/gru_cell.hpp>
#include <heed/kernels/gru_reset_before.hpp>
#include <heed/kernels/im2col.hpp>
#include <heed/kernels/linear_attention.hpp>
#include <heed/kernels/lstm_cell.hpp>
#include <heed/kernels/normalization.hpp>
#include <heed/kernels/row_sums.hpp>
#include <heed/kernels/screen.hpp>
#include <heed/kernels/softmax.hpp>

#include "kernels/kernel_testing.hpp"
#include "support/catch.hpp"
#include "support/guarded.hpp"

using namespace heed;
using namespace heed_test;

namespace {

// Rows longer than the widest unrolled loop by more than its tail.
constexpr Index longest = 8 * lanes<float> + 3;

template <class T>
Guarded<T> numbers(Index count, GuardSide side) {
  return {random_numbers<T>(count, static_cast<std::uint64_t>(count) + 1), side};
}

/// Every other one is set.
struct Flags : Guarded<bool> {
  Flags(Index count, GuardSide side) : Guarded<bool>(count, side) {
    for (Index i = 0; i < count; ++i) data()[i] = i % 2 == 0;
  }
};

/// Calls f(size) for every tail.
template <class F>
void for_sizes(const F& f) {
  for (Index size = 0; size <= longest; ++size) f(size);
}

template <class T>
bool finite_row(Guarded<T>& x, Index size) {
  return all_finite<T>(MatrixView<const T>{x.data(), 1, size});
}

/// A matrix whose rows are `gap` elements apart; nothing lies behind its last row.
template <class T>
struct Block {
  Block(Index rows, Index cols, Index gap, GuardSide side)
      : memory(numbers<T>(rows > 0 ? (rows - 1) * (cols + gap) + cols : 0, side)), view(memory.data(), rows, cols) {
    view.stride = cols + gap;
  }
  operator MatrixView<T>() { return view; }
  operator MatrixView<const T>() const { return view; }
  Guarded<T> memory;
  MatrixView<T> view;
};

/// As workspaces hand it out: 64-byte aligned.
template <class T>
constexpr Index whole_lines(Index count) {
  constexpr Index line = 64 / sizeof(T);
  return (count + line - 1) / line * line;
}

template <class T>
void multiply(Index m, Index n, Index k, GuardSide side) {
  for (const Transpose ta : {Transpose::no, Transpose::yes})
    for (const Transpose tb : {Transpose::no, Transpose::yes}) {
      const Index gap = ta == tb ? 0 : 3;
      const Block<T> a(ta == Transpose::no ? m : k, ta == Transpose::no ? k : m, gap, side);
      const Block<T> b(tb == Transpose::no ? k : n, tb == Transpose::no ? n : k, gap, side);
      Block<T> c(m, n, gap, side);
      Guarded<T> scratch(whole_lines<T>(gemm_scratch_size<T>(m, n, k)), side);
      Guarded<T> packed(whole_lines<T>(packed_size<T>(k, n)), side);
      gemm<T>(ta, a, tb, b, c, Accumulate::no, scratch);
      gemm<T>(ta, a, tb, b, c, Accumulate::yes, scratch);
      pack_b<T>(tb, b, packed);
      gemm_packed<T>(ta, a, packed, c, k, Accumulate::yes);
      CHECK(all_finite<T>(c.view));
    }
}

}  // namespace

TEMPLATE_TEST_CASE("rows stay inside their memory: sums, products, softmax, losses", "[kernels]", float, double) {
  using T = TestType;
  const GuardSide side = GENERATE(GuardSide::behind, GuardSide::in_front);
  for_sizes([&](Index n) {
    auto x = numbers<T>(n, side), y = numbers<T>(n, side), z = numbers<T>(n, side);
    Flags allowed(n, side);
    T total = dot<T>(x, y, n) + sum<T>(x, n);
    if (n > 0) total += maximum_of<T>(x, n) + static_cast<T>(index_of_maximum<T>(x, n));
    CHECK(std::isfinite(total));
    multiply_row<T>(y, x, n), add_row<T>(y, x, n), scale_row<T>(y, n, T(0.5)), add_scaled_row<T>(y, T(2), x, n);
    softmax_row<T>(x, y, n, n), softmax_row<T>(x, y, n / 2, n), softmax_row<T>(x, allowed, y, n);
    softmax_backward_row<T>(y, x, z, n / 2, n), softmax_backward_row<T>(y, x, allowed, z, n);
    log_softmax_row<T>(x, y, n, n), log_softmax_backward_row<T>(y, x, z, n, n);
    if (n > 0) {
      cross_entropy_row<T>(x, n, ClassTarget<T>{.target = n - 1, .class_weight = z});
      cross_entropy_row<T>(x, n, ProbabilityTarget<T>{.probability = y, .class_weight = z});
      cross_entropy_row_with_gradient<T>(x, n, ProbabilityTarget<T>{.probability = y}, T(1));
    }
    fill_row<T>(y, T(0), n);
    CHECK((finite_row(y, n) && finite_row(z, n)));
  });
}

TEMPLATE_TEST_CASE("rows stay inside their memory: activations and norms", "[kernels]", float, double) {
  using T = TestType;
  const GuardSide side = GENERATE(GuardSide::behind, GuardSide::in_front);
  for_sizes([&](Index n) {
    auto x = numbers<T>(n, side), weight = numbers<T>(n, side), y = numbers<T>(n, side), d_x = numbers<T>(n, side);
    auto d_weight = numbers<T>(n, side), d_bias = numbers<T>(n, side);
    for (int i = 0; i <= static_cast<int>(Activation::hard_sigmoid); ++i) {
      activation_row<T>(static_cast<Activation>(i), x, y, n);
      activation_backward_row<T>(static_cast<Activation>(i), x, y, d_x, n);
    }
    elu_feature_row<T>(x, y, n), elu_feature_backward_row<T>(x, y, d_x, n);
    if (n > 0) {
      const auto moments = layer_norm_row<T>(x, weight, d_bias, T(1e-5), y, n);
      layer_norm_backward_row<T>(x, weight, moments, y, d_x, d_weight, d_bias, n);
      const T factor = rms_norm_row<T>(x, weight, T(1e-5), y, n);
      rms_norm_backward_row<T>(x, weight, factor, y, d_x, d_weight, n);
    }
    CHECK((finite_row(y, n) && finite_row(d_x, n) && finite_row(d_weight, n)));
  });
}

TEMPLATE_TEST_CASE("a matrix product stays inside its matrices", "[kernels]", float, double) {
  using T = TestType;
  const GuardSide side = GENERATE(GuardSide::behind, GuardSide::in_front);
  for (const Index m : {1, 2, 3, 7, 13, 14, 15, 33})
    for (const Index n : {1, 2, 15, 16, 17, 31, 33, 65})
      for (const Index k : {0, 1, 5, 16, 67}) multiply<T>(m, n, k, side);
  multiply<T>(3, 5, 1100, side);  // more than one block of the depth
  multiply<T>(40, 700, 9, side);  // and of the columns
}

TEMPLATE_TEST_CASE("recurrent cells stay inside their matrices", "[kernels]", float, double) {
  using T = TestType;
  const GuardSide side = GENERATE(GuardSide::behind, GuardSide::in_front);
  for (Index hidden = 1; hidden <= 2 * lanes<T> + 2; ++hidden) {
    const Index rows = 3;
    Flags active(rows, side);
    const auto make = [&](Index widths) { return Block<T>(rows, widths * hidden, 0, side); };
    auto x2 = make(2), y2 = make(2), x3 = make(3), y3 = make(3), z3 = make(3), x4 = make(4), y4 = make(4), x5 = make(5);
    auto state = make(1), cell = make(1), next = make(1), next_cell = make(1), d_state = make(1), d_cell = make(1);
    gru_step<T>({.input = x3, .recurrent = y3, .state = state, .next = next, .saved = x4, .active = active});
    gru_step_backward<T>({x4, state, next, x3, y3, d_state, active});
    const GruResetBeforeForward<T> before{x3, x2, cell, state, d_cell, next, z3, active};
    gru_gates<T>(before), gru_candidate<T>(before);
    const GruResetBeforeBackward<T> back{z3, state, next, d_cell, y3, y2, next_cell, d_state, active};
    gru_candidate_backward<T>(back), gru_gates_backward<T>(back);
    CHECK((all_finite<T>(y2.view) && all_finite<T>(y3.view)));
    lstm_step<T>({.gates = x4, .state = state, .cell = cell, .next = next, .next_cell = next_cell, .saved = x5});
    lstm_step_backward<T>({x5, cell, next, next_cell, y4, d_state, d_cell, active});
    CHECK((all_finite<T>(y3.view) && all_finite<T>(y4.view) && all_finite<T>(d_cell.view)));
  }
}

TEMPLATE_TEST_CASE("additive scores stay inside their matrices", "[kernels]", float, double) {
  using T = TestType;
  const GuardSide side = GENERATE(GuardSide::behind, GuardSide::in_front);
  for (Index units = 1; units <= 4 * lanes<T> + 2; ++units)
    for (const Index keys : {1, 3, 4, 5, 9}) {
      const Block<T> query(3, units, 0, side), key(keys, units, 2, side);
      Block<T> scores(3, keys, 1, side), d_query(3, units, 0, side), d_key(keys, units, 0, side);
      auto v = numbers<T>(units, side), d_v = numbers<T>(units, side), sums = numbers<T>(units, side);
      additive_scores<T>(query, key, v, scores);
      additive_scores_backward<T>({query, key, v, scores, d_query, d_key, d_v});
      add_row_sums<T>(key, sums);
      CHECK((all_finite<T>(scores.view) && all_finite<T>(d_key.view) && finite_row(d_v, units) &&
             finite_row(sums, units)));
    }
}

TEMPLATE_TEST_CASE("columns of a window stay inside image and matrix", "[kernels]", float, double) {
  using T = TestType;
  const GuardSide side = GENERATE(GuardSide::behind, GuardSide::in_front);
  for (const Index padding : {0, 1, 2})
    for (const Index stride : {1, 2})
      for (const Index width : {3, 5, 17, 33}) {
        const auto axis = [&](Index input) {
          return WindowAxis{.input = input,
                            .output = (input + 2 * padding - 3) / stride + 1,
                            .kernel = 3,
                            .stride = stride,
                            .padding = padding};
        };
        const WindowShape shape{.channels = 2, .height = axis(4), .width = axis(width)};
        auto x = numbers<T>(shape.input_size(), side), d_x = numbers<T>(shape.input_size(), side);
        Block<T> columns(shape.rows(), shape.positions(), 0, side);
        im2col<T>(shape, x, 0, columns, 0, shape.rows());
        col2im<T>(shape, columns, 0, d_x);
        CHECK((all_finite<T>(columns.view) && finite_row(d_x, shape.input_size())));
      }
}

TEST_CASE("the screen of a vocabulary stays inside its words", "[kernels]") {
  const GuardSide side = GENERATE(GuardSide::behind, GuardSide::in_front);
  for (const Index n : {1, 15, 16, 63, 64, 65, 130})
    for (const Index k : {1, 2, 7, 32}) {
      const Block<float> weight(n, k, 0, side);
      auto bias = numbers<float>(n, side), radius = numbers<float>(n, side), scores = numbers<float>(n, side);
      auto words = numbers<float>(screen_size<>(n, k), side), x = numbers<float>(k, side);
      Guarded<Index> found(4, side);
      const auto bound = pack_screen<>(weight, bias, words, radius);
      for (Index first = 0; first < n; first += screen_cols<>)
        screen_panel<>(k, x, words.data() + first * ((k + 1) / 2), bias.data() + first, scores.data() + first,
                       std::min(screen_cols<>, n - first));
      CHECK(screen_survivors<>(scores, radius, n, 1.0f, bound, found, 4) >= -1);
      CHECK(finite_row(scores, n));
    }
}
