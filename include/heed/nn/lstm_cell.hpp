#pragma once
// The long short-term memory as a layer: parameters, one step for real-time callers. kernels/lstm_cell.hpp has the
// formula.
//   S. Hochreiter, J. Schmidhuber, "Long Short-Term Memory", 1997; forget gate: F. Gers et al., "Learning to Forget",
//   2000.
// Gates lie in PyTorch's order i, f, g, o along the rows of the weights, under PyTorch's names.

#include <algorithm>
#include <cmath>
#include <string>

#include <heed/attention/matmul.hpp>
#include <heed/core/check.hpp>
#include <heed/core/random.hpp>
#include <heed/core/workspace.hpp>
#include <heed/kernels/lstm_cell.hpp>
#include <heed/nn/initialize.hpp>
#include <heed/nn/parameters.hpp>

namespace heed::inline HEED_ABI {

/// The two states of a long short-term memory: what it shows and what it keeps.
template <class T>
struct LstmStates {
  MatrixView<T> state;  // (rows, hidden): h
  MatrixView<T> cell;   // (rows, hidden): c
};

template <class T>
struct LstmCell {
  struct Config {
    Index input_dim = 0, hidden_dim = 0;
    Bias bias = Bias::yes;
  };

  Tensor<T, 2> weight_ih;  // (4 hidden, input)
  Tensor<T, 2> weight_hh;  // (4 hidden, hidden)
  Tensor<T, 1> bias_ih;    // (4 hidden), empty without bias
  Tensor<T, 1> bias_hh;    // (4 hidden), empty without bias

  static void fields(auto&& visit, auto&... self) {
    visit("weight_ih", self.weight_ih...);
    visit("weight_hh", self.weight_hh...);
    visit("bias_ih", self.bias_ih..., Role::no_decay);
    visit("bias_hh", self.bias_hh..., Role::no_decay);
  }

  LstmCell() = default;
  /// Every parameter uniform in +-1/sqrt(hidden_dim), as PyTorch starts them.
  LstmCell(const Config& config, Rng& rng)
      : weight_ih(4 * config.hidden_dim, config.input_dim),
        weight_hh(4 * config.hidden_dim, config.hidden_dim),
        bias_ih(config.bias == Bias::yes ? 4 * config.hidden_dim : 0),
        bias_hh(config.bias == Bias::yes ? 4 * config.hidden_dim : 0) {
    check(config.input_dim > 0 && config.hidden_dim > 0, [&] {
      return "LstmCell: input_dim is " + std::to_string(config.input_dim) + " and hidden_dim " +
             std::to_string(config.hidden_dim) + ", wanted both positive";
    });
    const T bound = T(1) / std::sqrt(static_cast<T>(config.hidden_dim));
    for_each_parameter([&](std::string_view, Role, auto& tensor) { uniform(tensor, -bound, bound, rng); }, *this);
  }

  Index input_dim() const { return weight_ih.dimension(1); }
  Index hidden_dim() const { return weight_hh.dimension(1); }

  /// Bytes of workspace that step_into takes for `rows` rows.
  std::size_t step_bytes(Index rows) const {
    return Workspace::rounded<T>(rows * 4 * hidden_dim()) + Workspace::rounded<T>(gemm_size(rows));
  }

  /// One step: x (rows, input), h and c of `before` -> those of `out`, which may be the same memory. No heap, no locks,
  /// one thread. The same bits as the sequence gives. Refuses other shapes and a workspace below step_bytes(rows).
  void step_into(const LstmStates<T>& out, MatrixView<const T> x, const LstmStates<const T>& before,
                 Workspace& workspace) const {
    const char* const function = "LstmCell::step_into";
    const Index rows = x.rows, hidden = hidden_dim();
    const auto check_state = [&](const char* name, Index r, Index c) {
      check_shape(function, name, Extents<2>{r, c}, Extents<2>{rows, hidden});
    };
    check_shape(function, "x", Extents<2>{rows, x.cols}, Extents<2>{-1, input_dim()});
    check_state("before.state", before.state.rows, before.state.cols);
    check_state("before.cell", before.cell.rows, before.cell.cols);
    check_state("out.state", out.state.rows, out.state.cols);
    check_state("out.cell", out.cell.rows, out.cell.cols);
    const std::size_t mark = workspace.used();
    const MatrixView<T> gates(workspace.take<T>(rows * 4 * hidden), rows, 4 * hidden);
    T* const scratch = workspace.take<T>(gemm_size(rows));
    start_from_biases(gates);
    gemm<T>(Transpose::no, x, Transpose::yes, as_matrix(weight_ih), gates, Accumulate::yes, scratch);
    gemm<T>(Transpose::no, before.state, Transpose::yes, as_matrix(weight_hh), gates, Accumulate::yes, scratch);
    lstm_step<T>({.gates = gates,
                  .state = before.state,
                  .cell = before.cell,
                  .next = out.state,
                  .next_cell = out.cell,
                  .saved = {}});
    workspace.rewind(mark);
  }

  /// The sum of both biases, or zeros where there is none, into every row of gates (rows, 4 hidden): where the chains
  /// of the products with x and h start.
  void start_from_biases(MatrixView<T> gates) const {
    for (Index i = 0; i < gates.rows; ++i) {
      for (Index j = 0; j < gates.cols; ++j) gates(i, j) = bias_ih.size() > 0 ? bias_ih(j) + bias_hh(j) : T(0);
    }
  }

 private:
  Index gemm_size(Index rows) const {
    const Index gates = 4 * hidden_dim();
    return std::max(gemm_scratch_size<T>(rows, gates, input_dim()), gemm_scratch_size<T>(rows, gates, hidden_dim()));
  }
};

}  // namespace heed::inline HEED_ABI
