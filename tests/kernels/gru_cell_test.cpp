#include <heed/kernels/gru_cell.hpp>

#include "kernels/gru_testing.hpp"
#include "support/catch.hpp"
#include "support/tolerance.hpp"

using heed::GruGate;
using namespace heed_test;

namespace {
/// Buffers of one forward and backward step.
template <class T>
struct Step {
  Index rows, hidden;
  std::vector<T> input, recurrent, state, d_next, next, saved, d_input, d_recurrent, d_state;

  explicit Step(const GruProblem<T>& p)
      : rows(p.rows),
        hidden(p.hidden),
        input(p.projection(p.weight_ih, p.bias_ih, p.x, 0, 3)),
        recurrent(p.projection(p.weight_hh, p.bias_hh, p.h, 0, 3)),
        state(narrowed<T>(p.h)),
        d_next(narrowed<T>(p.d_next)),
        next(state.size()),
        saved(4 * state.size()),
        d_input(3 * state.size(), T(7)),
        d_recurrent(3 * state.size(), T(7)),
        d_state(state.size()) {}

  void run(GruGate gate, const bool* active = nullptr) {
    heed::gru_step<T>({.input = matrix(std::as_const(input), rows, 3 * hidden),
                       .recurrent = matrix(std::as_const(recurrent), rows, 3 * hidden),
                       .state = matrix(std::as_const(state), rows, hidden),
                       .next = matrix(next, rows, hidden),
                       .saved = matrix(saved, rows, 4 * hidden),
                       .active = active},
                      gate);
    heed::gru_step_backward<T>({.saved = matrix(std::as_const(saved), rows, 4 * hidden),
                                .state = matrix(std::as_const(state), rows, hidden),
                                .d_next = matrix(std::as_const(d_next), rows, hidden),
                                .d_input = matrix(d_input, rows, 3 * hidden),
                                .d_recurrent = matrix(d_recurrent, rows, 3 * hidden),
                                .d_state = matrix(d_state, rows, hidden),
                                .active = active},
                               gate);
  }
};

const reference::GruForm forms[] = {{.gate = reference::GruGate::sigmoid}, {.gate = reference::GruGate::hard_sigmoid}};
GruGate gate_of(const reference::GruForm& form) {
  return form.gate == reference::GruGate::sigmoid ? GruGate::sigmoid : GruGate::hard_sigmoid;
}
}  // namespace

TEMPLATE_TEST_CASE("a GRU step and its gradients match the textbook", "[kernels]", float, double) {
  using T = TestType;
  const Index hidden = GENERATE(1, 7, 64, 65);
  const reference::GruForm form = forms[GENERATE(0, 1)];
  const GruProblem<T> p(3, hidden, form);
  Step<T> step(p);
  step.run(gate_of(form));
  for (Index i = 0; i < p.rows; ++i) {
    const GruRowGradient wanted(p, i);
    CHECK(all_close(part_of_row(step.next, hidden, i, 0, hidden), wanted.step.next));
    CHECK(all_close(part_of_row(step.saved, 4 * hidden, i, 0, hidden), wanted.step.r));
    CHECK(all_close(part_of_row(step.saved, 4 * hidden, i, 2 * hidden, hidden), wanted.step.n));
    CHECK(all_close(part_of_row(step.d_input, 3 * hidden, i, 0, 3 * hidden), wanted.d_input));
    CHECK(all_close(part_of_row(step.d_recurrent, 3 * hidden, i, 0, 3 * hidden), wanted.d_recurrent));
    Numbers d_h = in_double(part_of_row(step.d_state, hidden, i, 0, hidden));
    for (Index u = 0; u < 3 * hidden; ++u) {  // what the caller's product adds
      for (Index k = 0; k < hidden; ++k) {
        d_h[static_cast<std::size_t>(k)] +=
            wanted.d_recurrent[static_cast<std::size_t>(u)] * p.weight_hh[static_cast<std::size_t>(u * hidden + k)];
      }
    }
    CHECK(largest_error(d_h, wanted.d_h) < tolerance<T>());
  }
}

TEMPLATE_TEST_CASE("a GRU row that is not active keeps its state bit by bit and passes its gradient", "[kernels]",
                   float, double) {
  using T = TestType;
  const GruProblem<T> p(3, 65, {});
  Step<T> all(p), some(p);
  all.run(GruGate::sigmoid);
  const bool active[] = {true, false, true};
  for (Index j = 0; j < 195; ++j) some.input[static_cast<std::size_t>(195 + j)] = not_a_number<T>;
  some.run(GruGate::sigmoid, active);
  for (const Index i : {Index{0}, Index{2}}) {
    CHECK(all_same_bits(part_of_row(some.next, 65, i, 0, 65), part_of_row(all.next, 65, i, 0, 65)));
    CHECK(all_same_bits(part_of_row(some.d_input, 195, i, 0, 195), part_of_row(all.d_input, 195, i, 0, 195)));
  }
  CHECK(all_same_bits(part_of_row(some.next, 65, 1, 0, 65), part_of_row(some.state, 65, 1, 0, 65)));
  CHECK(all_same_bits(part_of_row(some.d_state, 65, 1, 0, 65), part_of_row(some.d_next, 65, 1, 0, 65)));
  CHECK(all_same_bits(part_of_row(some.d_input, 195, 1, 0, 195), std::vector<T>(195, T(0))));
  CHECK(all_same_bits(part_of_row(some.d_recurrent, 195, 1, 0, 195), std::vector<T>(195, T(0))));
}

TEMPLATE_TEST_CASE("a GRU row has the same bits alone and among others, saved or not, in place or not", "[kernels]",
                   float, double) {
  using T = TestType;
  const GruProblem<T> p(3, 65, {});
  Step<T> step(p);
  step.run(GruGate::sigmoid);
  std::vector<T> state = part_of_row(step.state, 65, 1, 0, 65);
  const auto input = part_of_row(step.input, 195, 1, 0, 195), recurrent = part_of_row(step.recurrent, 195, 1, 0, 195);
  heed::gru_step<T>({.input = matrix(input, 1, 195),
                     .recurrent = matrix(recurrent, 1, 195),
                     .state = matrix(std::as_const(state), 1, 65),
                     .next = matrix(state, 1, 65),
                     .saved = {}});
  CHECK(all_same_bits(state, part_of_row(step.next, 65, 1, 0, 65)));
}

TEMPLATE_TEST_CASE("saturated gates keep the state exactly or replace it exactly", "[kernels]", float, double) {
  using T = TestType;
  const GruGate gate = GENERATE(GruGate::sigmoid, GruGate::hard_sigmoid);
  for (const T z : {T(2000), T(-2000)}) {
    std::vector<T> input{T(0), z, T(0.5)}, recurrent{T(0), T(0), T(0)}, state{T(0.3)}, next(1);
    heed::gru_step<T>({.input = matrix(std::as_const(input), 1, 3),
                       .recurrent = matrix(std::as_const(recurrent), 1, 3),
                       .state = matrix(std::as_const(state), 1, 1),
                       .next = matrix(next, 1, 1),
                       .saved = {}},
                      gate);
    if (z > 0) CHECK(same_bits(next[0], T(0.3)));
    if (z < 0) CHECK(close(next[0], std::tanh(0.5)));
  }
}
