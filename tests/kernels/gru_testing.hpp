#pragma once
// One GRU problem with its textbook answer, shared by the tests of the two reset forms.

#include <heed/kernels/gru_cell.hpp>
#include <heed/kernels/reference_gru.hpp>

#include "kernels/kernel_testing.hpp"

namespace heed_test {

namespace reference = heed::reference;
using Numbers = std::vector<double>;

/// Weights, a few rows, and what the reference makes of them. Numbers are of T, kept in double.
template <class T>
struct GruProblem {
  Index rows, hidden, input = 3;
  reference::GruForm form;
  Numbers weight_ih, weight_hh, bias_ih, bias_hh, x, h, d_next;

  GruProblem(Index row_count, Index hidden_dim, reference::GruForm gru_form)
      : rows(row_count), hidden(hidden_dim), form(gru_form) {
    weight_ih = in_double(random_numbers<T>(3 * hidden * input, 1, 2));
    weight_hh = in_double(random_numbers<T>(3 * hidden * hidden, 2, 2.0 / std::sqrt(double(hidden))));
    bias_ih = in_double(random_numbers<T>(3 * hidden, 3));
    bias_hh = in_double(random_numbers<T>(3 * hidden, 4));
    x = in_double(random_numbers<T>(rows * input, 5));
    h = in_double(random_numbers<T>(rows * hidden, 6));
    d_next = in_double(random_numbers<T>(rows * hidden, 7));
  }
  reference::GruWeights weights() const {
    return {matrix(weight_ih, 3 * hidden, input), matrix(weight_hh, 3 * hidden, hidden), bias_ih.data(),
            bias_hh.data()};
  }
  /// (rows, 3H) in T: weight * operand + bias of each row, gates [first, first + count).
  std::vector<T> projection(const Numbers& weight, const Numbers& bias, const Numbers& operand, Index first,
                            Index count) const {
    const Index width = static_cast<Index>(operand.size()) / rows;
    std::vector<T> result;
    for (Index i = 0; i < rows; ++i) {
      for (Index u = first * hidden; u < (first + count) * hidden; ++u) {
        result.push_back(static_cast<T>(
            reference::gru_projection(matrix(weight, 3 * hidden, width), bias.data(), u, operand.data() + i * width)));
      }
    }
    return result;
  }
};

/// The textbook's gradients of one row; those of the biases are the gradients of the projections.
struct GruRowGradient {
  Numbers weight_ih, weight_hh, d_input, d_recurrent, d_x, d_h;
  reference::GruStep step;

  template <class T>
  GruRowGradient(const GruProblem<T>& p, Index row)
      : weight_ih(p.weight_ih.size(), 0.0),
        weight_hh(p.weight_hh.size(), 0.0),
        d_input(p.bias_ih.size(), 0.0),
        d_recurrent(p.bias_hh.size(), 0.0),
        d_x(static_cast<std::size_t>(p.input)),
        d_h(static_cast<std::size_t>(p.hidden)) {
    const double *x = p.x.data() + row * p.input, *h = p.h.data() + row * p.hidden;
    step = reference::gru_step(p.weights(), p.form, x, h);
    const reference::GruGradients grad{matrix(weight_ih, 3 * p.hidden, p.input),
                                       matrix(weight_hh, 3 * p.hidden, p.hidden), d_input.data(), d_recurrent.data()};
    reference::gru_step_backward(p.weights(), p.form, x, h, step, p.d_next.data() + row * p.hidden, d_x.data(),
                                 d_h.data(), grad);
  }
};

template <class T>
std::vector<T> narrowed(const Numbers& x) {
  std::vector<T> result;
  for (const double value : x) result.push_back(static_cast<T>(value));
  return result;
}

/// Elements [first, first + count) of row `row` of a (rows, width) matrix.
template <class T>
std::vector<T> part_of_row(const std::vector<T>& x, Index width, Index row, Index first, Index count) {
  const auto begin = x.begin() + row * width + first;
  return {begin, begin + count};
}

}  // namespace heed_test
