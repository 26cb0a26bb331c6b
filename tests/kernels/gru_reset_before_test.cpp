#include <heed/kernels/gru_reset_before.hpp>

#include "kernels/gru_testing.hpp"
#include "support/catch.hpp"
#include "support/tolerance.hpp"

using heed::GruGate;
using namespace heed_test;

namespace {
/// Buffers of one forward and backward step, with the caller's products done by the reference.
template <class T>
struct Step {
  const GruProblem<T>& p;
  Index rows, hidden;
  std::vector<T> input, recurrent, candidate, state, reset_state, next, saved;
  std::vector<T> d_next, d_reset_state, d_input, d_recurrent, d_candidate, d_state;

  explicit Step(const GruProblem<T>& problem)
      : p(problem),
        rows(p.rows),
        hidden(p.hidden),
        input(p.projection(p.weight_ih, p.bias_ih, p.x, 0, 3)),
        recurrent(p.projection(p.weight_hh, p.bias_hh, p.h, 0, 2)),
        state(narrowed<T>(p.h)),
        reset_state(state.size()),
        next(state.size()),
        saved(3 * state.size()),
        d_next(narrowed<T>(p.d_next)),
        d_input(3 * state.size(), T(7)),
        d_recurrent(2 * state.size(), T(7)),
        d_candidate(state.size(), T(7)),
        d_state(state.size()) {}

  void forward(GruGate gate, const bool* active) {
    heed::GruResetBeforeForward<T> step{.input = matrix(std::as_const(input), rows, 3 * hidden),
                                        .recurrent = matrix(std::as_const(recurrent), rows, 2 * hidden),
                                        .candidate = {},
                                        .state = matrix(std::as_const(state), rows, hidden),
                                        .reset_state = matrix(reset_state, rows, hidden),
                                        .next = matrix(next, rows, hidden),
                                        .saved = matrix(saved, rows, 3 * hidden),
                                        .active = active};
    heed::gru_gates(step, gate);
    candidate = p.projection(p.weight_hh, p.bias_hh, in_double(reset_state), 2, 1);
    step.candidate = matrix(std::as_const(candidate), rows, hidden);
    heed::gru_candidate(step);
  }
  void backward(GruGate gate, const bool* active) {
    heed::GruResetBeforeBackward<T> step{.saved = matrix(std::as_const(saved), rows, 3 * hidden),
                                         .state = matrix(std::as_const(state), rows, hidden),
                                         .d_next = matrix(std::as_const(d_next), rows, hidden),
                                         .d_reset_state = {},
                                         .d_input = matrix(d_input, rows, 3 * hidden),
                                         .d_recurrent = matrix(d_recurrent, rows, 2 * hidden),
                                         .d_candidate = matrix(d_candidate, rows, hidden),
                                         .d_state = matrix(d_state, rows, hidden),
                                         .active = active};
    heed::gru_candidate_backward(step, gate);
    Numbers product(state.size());
    const Numbers d = in_double(d_candidate);
    reference::matrix_product(reference::strided(matrix(d, rows, hidden)),
                              reference::strided({p.weight_hh.data() + 2 * hidden * hidden, hidden, hidden}),
                              matrix(product, rows, hidden));
    d_reset_state = narrowed<T>(product);
    step.d_reset_state = matrix(std::as_const(d_reset_state), rows, hidden);
    heed::gru_gates_backward(step, gate);
  }
};
}  // namespace

TEMPLATE_TEST_CASE("a GRU step with the reset before the product matches the textbook, gradients too", "[kernels]",
                   float, double) {
  using T = TestType;
  const Index hidden = GENERATE(1, 7, 64, 65);
  const auto kind = GENERATE(reference::GruGate::sigmoid, reference::GruGate::hard_sigmoid);
  const GruGate gate = kind == reference::GruGate::sigmoid ? GruGate::sigmoid : GruGate::hard_sigmoid;
  const GruProblem<T> p(3, hidden, {.reset = reference::GruReset::before, .gate = kind});
  Step<T> step(p);
  step.forward(gate, nullptr);
  step.backward(gate, nullptr);
  for (Index i = 0; i < p.rows; ++i) {
    const GruRowGradient wanted(p, i);
    CHECK(all_close(part_of_row(step.next, hidden, i, 0, hidden), wanted.step.next));
    CHECK(all_close(part_of_row(step.reset_state, hidden, i, 0, hidden), wanted.step.n_operand));
    CHECK(all_close(part_of_row(step.d_input, 3 * hidden, i, 0, 3 * hidden), wanted.d_input));
    CHECK(all_close(part_of_row(step.d_recurrent, 2 * hidden, i, 0, 2 * hidden),
                    part_of_row(wanted.d_recurrent, 3 * hidden, 0, 0, 2 * hidden)));
    CHECK(all_close(part_of_row(step.d_candidate, hidden, i, 0, hidden),
                    part_of_row(wanted.d_recurrent, 3 * hidden, 0, 2 * hidden, hidden)));
    Numbers d_h = in_double(part_of_row(step.d_state, hidden, i, 0, hidden));
    for (Index u = 0; u < 2 * hidden; ++u) {  // what the caller's product adds
      for (Index k = 0; k < hidden; ++k) {
        d_h[static_cast<std::size_t>(k)] +=
            wanted.d_recurrent[static_cast<std::size_t>(u)] * p.weight_hh[static_cast<std::size_t>(u * hidden + k)];
      }
    }
    CHECK(largest_error(d_h, wanted.d_h) < tolerance<T>());
  }
}

TEMPLATE_TEST_CASE("a reset-before row that is not active keeps its state and passes its gradient", "[kernels]", float,
                   double) {
  using T = TestType;
  const GruProblem<T> p(3, 65, {.reset = reference::GruReset::before});
  Step<T> all(p), some(p);
  const bool active[] = {true, false, true};
  for (std::size_t j = 0; j < 195; ++j) some.input[195 + j] = not_a_number<T>;
  all.forward(GruGate::sigmoid, nullptr);
  all.backward(GruGate::sigmoid, nullptr);
  some.forward(GruGate::sigmoid, active);
  some.backward(GruGate::sigmoid, active);
  for (const Index i : {Index{0}, Index{2}}) {
    CHECK(all_same_bits(part_of_row(some.next, 65, i, 0, 65), part_of_row(all.next, 65, i, 0, 65)));
    CHECK(all_same_bits(part_of_row(some.d_state, 65, i, 0, 65), part_of_row(all.d_state, 65, i, 0, 65)));
    CHECK(all_same_bits(part_of_row(some.d_input, 195, i, 0, 195), part_of_row(all.d_input, 195, i, 0, 195)));
  }
  CHECK(all_same_bits(part_of_row(some.next, 65, 1, 0, 65), part_of_row(some.state, 65, 1, 0, 65)));
  CHECK(all_same_bits(part_of_row(some.d_state, 65, 1, 0, 65), part_of_row(some.d_next, 65, 1, 0, 65)));
  CHECK(all_same_bits(part_of_row(some.d_input, 195, 1, 0, 195), std::vector<T>(195, T(0))));
  CHECK(all_same_bits(part_of_row(some.d_recurrent, 130, 1, 0, 130), std::vector<T>(130, T(0))));
  CHECK(all_same_bits(part_of_row(some.d_candidate, 65, 1, 0, 65), std::vector<T>(65, T(0))));
}
