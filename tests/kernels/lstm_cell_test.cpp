#include <heed/kernels/lstm_cell.hpp>

#include <array>
#include <vector>

#include "kernels/kernel_testing.hpp"
#include "support/catch.hpp"
#include "support/tolerance.hpp"

namespace {

using heed::Index;
using heed::MatrixView;

double sigmoid_of(double x) { return 1 / (1 + std::exp(-x)); }

/// One unit's gates i, f, g, o and cell -> {next, next cell}: the definition.
std::array<double, 2> textbook(const std::array<double, 5>& in) {
  const double cell = sigmoid_of(in[1]) * in[4] + sigmoid_of(in[0]) * std::tanh(in[2]);
  return {sigmoid_of(in[3]) * std::tanh(cell), cell};
}

template <class T>
struct Step {
  Index rows, hidden;
  std::vector<T> gates, state, cell, next, next_cell, saved, d_next, d_next_cell, d_gates, d_state, d_cell;

  Step(Index row_count, Index size) : rows(row_count), hidden(size) {
    const auto units = static_cast<std::size_t>(rows * hidden);
    for (std::vector<T>* const x : {&gates, &state, &cell, &d_next, &d_next_cell}) {
      x->resize(x == &gates ? 4 * units : units);
      for (std::size_t i = 0; i < x->size(); ++i)
        (*x)[i] = T(0.37 * static_cast<double>((i * 31 + x->size()) % 17) - 3);
    }
    next = next_cell = d_state = d_cell = std::vector<T>(units, T(7));
    d_gates.assign(4 * units, T(7));
    saved.assign(5 * units, T(7));
  }
  template <class V>
  auto matrix(V& x) const {
    return MatrixView<std::remove_reference_t<decltype(x[0])>>(x.data(), rows, static_cast<Index>(x.size()) / rows);
  }
  void run(const bool* active = nullptr) {
    heed::lstm_step<T>({.gates = matrix(gates),
                        .state = matrix(state),
                        .cell = matrix(cell),
                        .next = matrix(next),
                        .next_cell = matrix(next_cell),
                        .saved = matrix(saved),
                        .active = active});
    heed::lstm_step_backward<T>({.saved = matrix(saved),
                                 .cell = matrix(cell),
                                 .d_next = matrix(d_next),
                                 .d_next_cell = matrix(d_next_cell),
                                 .d_gates = matrix(d_gates),
                                 .d_state = matrix(d_state),
                                 .d_cell = matrix(d_cell),
                                 .active = active});
  }
  std::size_t unit(Index row, Index j) const { return static_cast<std::size_t>(row * hidden + j); }
  std::size_t gate(Index row, Index g, Index j) const { return static_cast<std::size_t>((row * 4 + g) * hidden + j); }
};

}  // namespace

TEMPLATE_TEST_CASE("an LSTM step and its gradients match the definition and its central differences", "[kernels]",
                   float, double) {
  using T = TestType;
  const Index hidden = GENERATE(1, 7, 64, 65);
  Step<T> step(3, hidden);
  step.run();
  double worst = 0, worst_gradient = 0;
  for (Index row = 0; row < 3; ++row) {
    for (Index j = 0; j < hidden; ++j) {
      const std::size_t u = step.unit(row, j);
      std::array<double, 5> in{};
      for (Index g = 0; g < 4; ++g) in[static_cast<std::size_t>(g)] = double(step.gates[step.gate(row, g, j)]);
      in[4] = double(step.cell[u]);
      const auto wanted = textbook(in);
      worst = std::max({worst, heed_test::error(double(step.next[u]), wanted[0]),
                        heed_test::error(double(step.next_cell[u]), wanted[1])});
      for (std::size_t k = 0; k < 5; ++k) {
        std::array<double, 5> above = in, below = in;
        above[k] += 1e-5, below[k] -= 1e-5;
        const auto high = textbook(above), low = textbook(below);
        const double slope =
            (double(step.d_next[u]) * (high[0] - low[0]) + double(step.d_next_cell[u]) * (high[1] - low[1])) / 2e-5;
        const double found = double(k < 4 ? step.d_gates[step.gate(row, Index(k), j)] : step.d_cell[u]);
        worst_gradient = std::max(worst_gradient, heed_test::error(found, slope));
      }
      CHECK(step.d_state[u] == 0);
    }
  }
  CHECK(worst <= heed_test::tolerance<T>());
  CHECK(worst_gradient <= std::max(heed_test::tolerance<T>(), 1e-8));
}

TEST_CASE("rows that are not active keep both states and pass their gradients on", "[kernels]") {
  Step<float> step(3, 5);
  const std::array<bool, 3> active = {true, false, true};
  step.run(active.data());
  for (Index j = 0; j < 5; ++j) {
    const std::size_t u = step.unit(1, j);
    CHECK(step.next[u] == step.state[u]);
    CHECK(step.next_cell[u] == step.cell[u]);
    CHECK(step.d_state[u] == step.d_next[u]);
    CHECK(step.d_cell[u] == step.d_next_cell[u]);
    for (Index g = 0; g < 4; ++g) CHECK(step.d_gates[step.gate(1, g, j)] == 0);
    CHECK(step.next[step.unit(2, j)] != step.state[step.unit(2, j)]);
  }
}

TEST_CASE("an LSTM step may write over its states", "[kernels]") {
  Step<float> apart(3, 7), in_place(3, 7);
  apart.run();
  heed::lstm_step<float>({.gates = in_place.matrix(in_place.gates),
                          .state = in_place.matrix(in_place.state),
                          .cell = in_place.matrix(in_place.cell),
                          .next = in_place.matrix(in_place.state),
                          .next_cell = in_place.matrix(in_place.cell),
                          .saved = {}});
  CHECK(heed_test::all_same_bits(in_place.state, apart.next));
  CHECK(heed_test::all_same_bits(in_place.cell, apart.next_cell));
}
