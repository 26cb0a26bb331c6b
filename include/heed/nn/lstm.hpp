#pragma once
// A stack of long short-term memories over whole sequences, in one or both directions (Hochreiter and Schmidhuber 1997;
// Schuster and Paliwal 1997 for both directions).

#include <optional>
#include <string>
#include <vector>

#include <heed/nn/lstm_sequence.hpp>

namespace heed::inline HEED_ABI {

template <class T>
struct Lstm {
  struct Config {
    Index input_dim = 0, hidden_dim = 0, layers = 1;
    Directions directions = Directions::forward;
    Bias bias = Bias::yes;
  };
  struct Layer {
    std::optional<LstmCell<T>> forward, reverse;
    static void fields(auto&& visit, auto&... self) {
      visit("forward", self.forward...);
      visit("reverse", self.reverse...);
    }
  };
  /// h and c, or their gradients: (layers * directions, batch, hidden), forward before reverse in each layer.
  struct States {
    Tensor<T, 3> state, cell;
  };
  /// What a call is told beside x: the rows' true lengths (none: all of x), the first states (null: zeros) and what a
  /// masked step puts out; its states are kept.
  struct Options {
    std::span<const Index> lengths = {};
    const States* initial = nullptr;
    MaskedOutput masked_output = MaskedOutput::repeat;
  };
  struct Result {
    Tensor<T, 3> output;  // (batch, steps, hidden * directions), the last layer's
    States last;          // after each row's last true step
  };
  struct Cache {
    std::vector<LstmTrace<T>> runs;  // layers * directions
  };
  struct Gradients {
    Tensor<T, 3> x;  // (batch, steps, input)
    States initial;
  };

  std::vector<Layer> layers;

  static void fields(auto&& visit, auto&... self) { visit("layers", self.layers...); }

  Lstm() = default;
  /// Cells as LstmCell starts them; layer i + 1 reads the outputs of layer i.
  Lstm(const Config& config, Rng& rng) {
    check(config.layers > 0,
          [&] { return "Lstm: layers is " + std::to_string(config.layers) + ", wanted at least 1"; });
    Index input_dim = config.input_dim;
    for (Index i = 0; i < config.layers; ++i) {
      const typename LstmCell<T>::Config cell{input_dim, config.hidden_dim, config.bias};
      Layer& layer = layers.emplace_back();
      if (config.directions != Directions::reverse) layer.forward.emplace(cell, rng);
      if (config.directions != Directions::forward) layer.reverse.emplace(cell, rng);
      input_dim = config.hidden_dim * directions();
    }
  }

  Index directions() const { return layers.front().forward && layers.front().reverse ? 2 : 1; }
  Index hidden_dim() const { return detail::directed_cells(layers.front()).front().cell->hidden_dim(); }
  Index input_dim() const { return detail::directed_cells(layers.front()).front().cell->input_dim(); }

  /// x (batch, steps, input) -> output and states. Cost: batch * steps * 4 hidden (input + hidden) multiply-adds per
  /// cell, steps in order, rows of the batch in parallel. Padding behind a length is never read into a result.
  Result forward(const Tensor<T, 3>& x, const Options& options = {}, Cache* cache = nullptr,
                 ExecutorRef executor = default_executor()) const {
    check_call(x, options);
    const Index batch = x.dimension(0), steps = x.dimension(1), hidden = hidden_dim();
    Result result{x, {Tensor<T, 3>(runs(), batch, hidden), Tensor<T, 3>(runs(), batch, hidden)}};
    if (cache) cache->runs.resize(static_cast<std::size_t>(runs()));
    Index run = 0;
    for (const Layer& layer : layers) {
      Tensor<T, 3> output(batch, steps, hidden * directions());
      Index offset = 0;
      for (const auto& directed : detail::directed_cells(layer)) {
        const LstmStateViews<const T> initial = views(options.initial, run);
        const LstmRun<T> call{result.output, options.lengths,    initial.state,
                              initial.cell,  directed.direction, options.masked_output};
        lstm_forward(*directed.cell, call, detail::step_columns(output, offset, hidden), targets(result.last, run),
                     cache ? &cache->runs[static_cast<std::size_t>(run)] : nullptr, executor);
        offset += hidden;
        ++run;
      }
      result.output = std::move(output);
    }
    return result;
  }

  /// d_output (batch, steps, hidden * directions) and d_last (null: zeros) -> the gradients of x and of the first
  /// states; parameter gradients are added to grad.
  Gradients backward(const Tensor<T, 3>& d_output, const States* d_last, const Cache& cache, Lstm& grad,
                     ExecutorRef executor = default_executor()) const {
    check_backward(d_output, d_last, cache);
    const Index batch = d_output.dimension(0), steps = d_output.dimension(1), hidden = hidden_dim();
    Gradients result{d_output, {Tensor<T, 3>(runs(), batch, hidden), Tensor<T, 3>(runs(), batch, hidden)}};
    for (auto i = static_cast<Index>(layers.size()) - 1; i >= 0; --i) {
      const auto cells = detail::directed_cells(layers[static_cast<std::size_t>(i)]);
      const auto grad_cells = detail::directed_cells(grad.layers[static_cast<std::size_t>(i)]);
      Tensor<T, 3> d_x(batch, steps, cells.front().cell->input_dim());
      const Tensor<T, 3>& d_layer = result.x;
      for (std::size_t d = 0; d < cells.size(); ++d) {
        const Index run = i * directions() + static_cast<Index>(d);
        lstm_backward(*cells[d].cell, cache.runs[static_cast<std::size_t>(run)],
                      View<const T, 3>(detail::step_columns(d_layer, static_cast<Index>(d) * hidden, hidden)),
                      views(d_last, run), View<T, 3>(d_x), d == 0 ? Accumulate::no : Accumulate::yes,
                      targets(result.initial, run), *grad_cells[d].cell, executor);
      }
      result.x = std::move(d_x);
    }
    return result;
  }

 private:
  Index runs() const { return static_cast<Index>(layers.size()) * directions(); }

  static LstmStateViews<const T> views(const States* states, Index run) {
    if (!states) return {};
    return {detail::states_of(states->state, run), detail::states_of(states->cell, run)};
  }
  static LstmStateViews<T> targets(States& states, Index run) {
    return {detail::states_of(states.state, run), detail::states_of(states.cell, run)};
  }

  void check_states(const std::string& function, const std::string& name, const States* states, Index batch) const {
    if (!states) return;
    const Extents<3> wanted{runs(), batch, hidden_dim()};
    check_shape(function, name + ".state", extents(states->state), wanted);
    check_shape(function, name + ".cell", extents(states->cell), wanted);
  }
  void check_made(const char* function) const {
    check(!layers.empty(),
          [&] { return std::string(function) + ": the layer has no cells, wanted one made from a Config"; });
  }
  void check_call(const Tensor<T, 3>& x, const Options& options) const {
    check_made("Lstm::forward");
    check_shape("Lstm::forward", "x", extents(x), Extents<3>{-1, -1, input_dim()});
    check_lengths("Lstm::forward", "lengths", options.lengths, x.dimension(0), x.dimension(1));
    check_states("Lstm::forward", "initial", options.initial, x.dimension(0));
  }
  void check_backward(const Tensor<T, 3>& d_output, const States* d_last, const Cache& cache) const {
    check_made("Lstm::backward");
    check(static_cast<Index>(cache.runs.size()) == runs(), [&] {
      return "Lstm::backward: cache holds " + std::to_string(cache.runs.size()) + " runs, wanted the " +
             std::to_string(runs()) + " of a forward call";
    });
    const Extents<3> traced = extents(cache.runs.front().previous);
    check_shape("Lstm::backward", "d_output", extents(d_output),
                Extents<3>{traced[0], traced[1], hidden_dim() * directions()});
    check_states("Lstm::backward", "d_last", d_last, traced[0]);
  }
};

}  // namespace heed::inline HEED_ABI
