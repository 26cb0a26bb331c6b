#pragma once
// The gated recurrent unit (Cho et al. 2014) as a layer: parameters, one step for real-time callers.
//
//   r = gate(W_ir x + b_ir + W_hr h + b_hr)      z = gate(W_iz x + b_iz + W_hz h + b_hz)
//   reset after:  n = tanh(W_in x + b_in + r * (W_hn h + b_hn))       reset before: n = tanh(W_in x + b_in + W_hn (r * h) + b_hn)
//   h' = (1 - z) * n + z * h
//
// Gates lie in PyTorch's order r, z, n along the rows of the weights, under PyTorch's names.

#include <algorithm>
#include <cmath>
#include <string>

#include <heed/attention/matmul.hpp>
#include <heed/core/check.hpp>
#include <heed/core/random.hpp>
#include <heed/core/tensor.hpp>
#include <heed/core/workspace.hpp>
#include <heed/kernels/gemm.hpp>
#include <heed/kernels/gru_cell.hpp>
#include <heed/kernels/gru_reset_before.hpp>
#include <heed/nn/initialize.hpp>
#include <heed/nn/parameters.hpp>

namespace heed::inline HEED_ABI {

/// Where r enters the candidate: behind the product with W_hn (torch, cuDNN, Keras' default) or before it (the paper).
enum class GruReset { after, before };

template <class T>
struct GruCell {
  struct Config {
    Index input_dim = 0, hidden_dim = 0;
    GruReset reset = GruReset::after;
    GruGate gate = GruGate::sigmoid;
    Bias bias = Bias::yes;
  };

  Tensor<T, 2> weight_ih;  // (3 hidden, input)
  Tensor<T, 2> weight_hh;  // (3 hidden, hidden)
  Tensor<T, 1> bias_ih;    // (3 hidden), empty without bias
  Tensor<T, 1> bias_hh;    // (3 hidden), empty without bias
  GruReset reset = GruReset::after;
  GruGate gate = GruGate::sigmoid;

  static void fields(auto&& visit, auto&... self) {
    visit("weight_ih", self.weight_ih...);
    visit("weight_hh", self.weight_hh...);
    visit("bias_ih", self.bias_ih..., Role::no_decay);
    visit("bias_hh", self.bias_hh..., Role::no_decay);
  }

  GruCell() = default;
  /// Every parameter uniform in +-1/sqrt(hidden_dim), as PyTorch starts them.
  GruCell(const Config& config, Rng& rng)
      : weight_ih(3 * config.hidden_dim, config.input_dim),
        weight_hh(3 * config.hidden_dim, config.hidden_dim),
        bias_ih(config.bias == Bias::yes ? 3 * config.hidden_dim : 0),
        bias_hh(config.bias == Bias::yes ? 3 * config.hidden_dim : 0),
        reset(config.reset),
        gate(config.gate) {
    check(config.input_dim > 0 && config.hidden_dim > 0, [&] {
      return "GruCell: input_dim is " + std::to_string(config.input_dim) + " and hidden_dim " +
             std::to_string(config.hidden_dim) + ", wanted both positive";
    });
    const T bound = T(1) / std::sqrt(static_cast<T>(config.hidden_dim));
    for_each_parameter([&](std::string_view, Role, auto& tensor) { uniform(tensor, -bound, bound, rng); }, *this);
  }

  Index input_dim() const { return weight_ih.dimension(1); }
  Index hidden_dim() const { return weight_hh.dimension(1); }

  /// Elements that the scratch of `rows` rows of advance() takes.
  Index scratch_size(Index rows) const { return rows * 7 * hidden_dim(); }

  /// Bytes of workspace that step_into takes for `rows` rows.
  std::size_t step_bytes(Index rows) const {
    return Workspace::rounded<T>(rows * 3 * hidden_dim()) + Workspace::rounded<T>(scratch_size(rows)) +
           Workspace::rounded<T>(gemm_size(rows));
  }

  /// One step: x (rows, input), state (rows, hidden) -> out (rows, hidden), which may be `state` itself. No heap, no locks,
  /// one thread. The same bits as the sequence gives. Refuses other shapes and a workspace below step_bytes(rows).
  void step_into(MatrixView<T> out, MatrixView<const T> x, MatrixView<const T> state, Workspace& workspace) const {
    const Index rows = x.rows, hidden = hidden_dim();
    check_shape("GruCell::step_into", "x", Extents<2>{rows, x.cols}, Extents<2>{-1, input_dim()});
    check_shape("GruCell::step_into", "state", Extents<2>{state.rows, state.cols}, Extents<2>{rows, hidden});
    check_shape("GruCell::step_into", "out", Extents<2>{out.rows, out.cols}, Extents<2>{rows, hidden});
    const std::size_t mark = workspace.used();
    const MatrixView<T> input(workspace.take<T>(rows * 3 * hidden), rows, 3 * hidden);
    T* const scratch = workspace.take<T>(scratch_size(rows));
    T* const gemm_scratch = workspace.take<T>(gemm_size(rows));
    fill_rows(input, bias_ih);
    gemm<T>(Transpose::no, x, Transpose::yes, as_matrix(weight_ih), input, Accumulate::yes, gemm_scratch);
    const auto project = [&](MatrixView<const T> from, Index first, MatrixView<T> to) {
      gemm<T>(Transpose::no, from, Transpose::yes, as_matrix(weight_hh).row_block(first, to.cols), to, Accumulate::yes,
              gemm_scratch);
    };
    advance({.input = input, .state = state, .next = out}, scratch, project);
    workspace.rewind(mark);
  }

  /// What one step reads and writes beside the weights.
  struct Step {
    MatrixView<const T> input;     // (rows, 3 hidden): W_ih x + b_ih
    MatrixView<const T> state;     // (rows, hidden)
    MatrixView<T> next;            // (rows, hidden), written; may be state
    MatrixView<T> saved = {};      // (rows, 4 hidden) for backward: r, z, n and n's recurrent part; no data: not kept
    MatrixView<T> operand = {};    // (rows, hidden) for backward where the reset comes before: r * h; no data: not kept
    const bool* active = nullptr;  // (rows): rows that take this step; null: all
  };

  /// One step whose recurrent products come from project(from, first, to): to (rows, n) += from (rows, hidden) times rows
  /// [first, first + n) of weight_hh, transposed.
  template <class Project>
  void advance(const Step& step, T* scratch, Project&& project) const {
    const Index rows = step.state.rows, hidden = hidden_dim();
    const MatrixView<T> recurrent(scratch, rows, 3 * hidden);
    fill_rows(recurrent, bias_hh);
    if (reset == GruReset::after) {
      project(step.state, Index{0}, recurrent);
      gru_step<T>({step.input, recurrent, step.state, step.next, step.saved, step.active}, gate);
      return;
    }
    const MatrixView<T> free_operand(scratch + rows * 3 * hidden, rows, hidden);
    const MatrixView<T> free_saved(scratch + rows * 4 * hidden, rows, 3 * hidden);
    const MatrixView<T> operand = step.operand.data ? step.operand : free_operand;
    const MatrixView<T> gates = recurrent.col_block(0, 2 * hidden), candidate = recurrent.col_block(2 * hidden, hidden);
    const GruResetBeforeForward<T> form{step.input, gates, candidate, step.state, operand, step.next,
                                        step.saved.data ? step.saved.col_block(0, 3 * hidden) : free_saved, step.active};
    project(step.state, Index{0}, gates);
    gru_gates<T>(form, gate);
    project(MatrixView<const T>(operand), 2 * hidden, candidate);
    gru_candidate<T>(form);
  }

  /// The bias, or zeros where there is none, into every row: where the chain of a product starts.
  static void fill_rows(MatrixView<T> rows, const Tensor<T, 1>& bias) {
    for (Index i = 0; i < rows.rows; ++i) {
      if (bias.size() == 0) {
        std::fill_n(rows.row(i), rows.cols, T(0));
      } else {
        std::copy_n(bias.data(), rows.cols, rows.row(i));
      }
    }
  }

 private:
  Index gemm_size(Index rows) const {
    const Index gates = 3 * hidden_dim();
    return std::max(gemm_scratch_size<T>(rows, gates, input_dim()), gemm_scratch_size<T>(rows, gates, hidden_dim()));
  }
};

}  // namespace heed::inline HEED_ABI
