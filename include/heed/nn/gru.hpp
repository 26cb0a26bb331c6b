#pragma once
// A stack of gated recurrent layers over whole sequences, in one or both directions (Cho et al. 2014; Schuster and Paliwal
// 1997 for both directions).

#include <optional>
#include <vector>

#include <heed/nn/gru_sequence.hpp>

namespace heed::inline HEED_ABI {

template <class T>
struct Gru {
  struct Config {
    Index input_dim = 0, hidden_dim = 0, layers = 1;
    Directions directions = Directions::forward;
    GruReset reset = GruReset::after;
    GruGate gate = GruGate::sigmoid;
    Bias bias = Bias::yes;
  };
  struct Layer {
    std::optional<GruCell<T>> forward, reverse;
    static void fields(auto&& visit, auto&... self) {
      visit("forward", self.forward...);
      visit("reverse", self.reverse...);
    }
  };
  /// The recurrent weights in the order in which forward reads them: made once per loaded layer, the same bits.
  struct Packed {
    std::vector<detail::PackedRecurrence<T>> runs;  // layers * directions
  };
  /// What a call is told beside x: the rows' true lengths (none: all of x), the first states (layers * directions, batch,
  /// hidden), forward before reverse in each layer (null: zeros), what a masked step puts out, and pack() or null.
  struct Options {
    std::span<const Index> lengths = {};
    const Tensor<T, 3>* initial_state = nullptr;
    MaskedOutput masked_output = MaskedOutput::repeat;
    const Packed* packed = nullptr;
  };
  struct Result {
    Tensor<T, 3> output;  // (batch, steps, hidden * directions), the last layer's
    Tensor<T, 3> state;   // (layers * directions, batch, hidden) after each row's last true step
  };
  struct Cache {
    std::vector<GruTrace<T>> runs;  // layers * directions
  };
  struct Gradients {
    Tensor<T, 3> x;              // (batch, steps, input)
    Tensor<T, 3> initial_state;  // (layers * directions, batch, hidden)
  };

  std::vector<Layer> layers;

  static void fields(auto&& visit, auto&... self) { visit("layers", self.layers...); }

  Gru() = default;
  /// Cells as GruCell starts them; layer i + 1 reads the outputs of layer i.
  Gru(const Config& config, Rng& rng) {
    check(config.layers > 0, [&] { return "Gru: layers is " + std::to_string(config.layers) + ", wanted at least 1"; });
    Index input_dim = config.input_dim;
    for (Index i = 0; i < config.layers; ++i) {
      const typename GruCell<T>::Config cell{input_dim, config.hidden_dim, config.reset, config.gate, config.bias};
      Layer& layer = layers.emplace_back();
      if (config.directions != Directions::reverse) layer.forward.emplace(cell, rng);
      if (config.directions != Directions::forward) layer.reverse.emplace(cell, rng);
      input_dim = config.hidden_dim * layer_directions(layer);
    }
  }

  Index directions() const { return layer_directions(layers.front()); }
  Index hidden_dim() const { return cells(layers.front()).front().cell->hidden_dim(); }
  Index input_dim() const { return cells(layers.front()).front().cell->input_dim(); }

  /// x (batch, steps, input) -> output and states. Cost: batch * steps * 3 hidden (input + hidden) multiply-adds per cell,
  /// steps in order, rows of the batch in parallel. Padding behind a length is never read into a result.
  Result forward(const Tensor<T, 3>& x, const Options& options = {}, Cache* cache = nullptr,
                 ExecutorRef executor = default_executor()) const {
    check_call(x, options);
    const Index batch = x.dimension(0), steps = x.dimension(1), hidden = hidden_dim();
    Result result{x, Tensor<T, 3>(runs(), batch, hidden)};
    if (cache) cache->runs.resize(static_cast<std::size_t>(runs()));
    Index run = 0;
    for (const Layer& layer : layers) {
      Tensor<T, 3> output(batch, steps, hidden * directions());
      Index offset = 0;
      for (const auto& [cell, direction] : cells(layer)) {
        const GruRun<T> call{result.output, options.lengths, slice(options.initial_state, run), direction,
                             options.masked_output,
                             options.packed ? &options.packed->runs[static_cast<std::size_t>(run)] : nullptr};
        gru_forward(*cell, call, detail::step_columns(output, offset, hidden), View<T, 2>(detail::states_of(result.state, run)),
                    cache ? &cache->runs[static_cast<std::size_t>(run)] : nullptr, executor);
        offset += hidden;
        ++run;
      }
      result.output = std::move(output);
    }
    return result;
  }

  Packed pack() const {
    Packed packed;
    for (const Layer& layer : layers) {
      for (const auto& run : cells(layer)) packed.runs.emplace_back(*run.cell, Transpose::yes);
    }
    return packed;
  }

  /// d_output (batch, steps, hidden * directions) and d_state (layers * directions, batch, hidden; null: zeros) -> the
  /// gradients of x and of the first states; parameter gradients are added to grad.
  Gradients backward(const Tensor<T, 3>& d_output, const Tensor<T, 3>* d_state, const Cache& cache, Gru& grad,
                     ExecutorRef executor = default_executor()) const {
    check_backward(d_output, d_state, cache);
    const Index batch = d_output.dimension(0), steps = d_output.dimension(1), hidden = hidden_dim();
    Gradients result{d_output, Tensor<T, 3>(runs(), batch, hidden)};
    for (auto i = static_cast<Index>(layers.size()) - 1; i >= 0; --i) {
      const auto forward_cells = cells(layers[static_cast<std::size_t>(i)]);
      const auto grad_cells = cells(grad.layers[static_cast<std::size_t>(i)]);
      Tensor<T, 3> d_x(batch, steps, forward_cells.front().cell->input_dim());
      for (std::size_t d = 0; d < forward_cells.size(); ++d) {
        const Index run = i * directions() + static_cast<Index>(d);
        const Tensor<T, 3>& d_layer = result.x;
        gru_backward(*forward_cells[d].cell, cache.runs[static_cast<std::size_t>(run)],
                     detail::step_columns(d_layer, static_cast<Index>(d) * hidden, hidden), slice(d_state, run), View<T, 3>(d_x),
                     d == 0 ? Accumulate::no : Accumulate::yes, View<T, 2>(detail::states_of(result.initial_state, run)),
                     *grad_cells[d].cell, executor);
      }
      result.x = std::move(d_x);
    }
    return result;
  }

 private:
  static Index layer_directions(const Layer& layer) { return layer.forward && layer.reverse ? 2 : 1; }
  Index runs() const { return static_cast<Index>(layers.size()) * directions(); }

  static auto cells(auto& layer) { return detail::directed_cells(layer); }
  static View<const T, 2> slice(const Tensor<T, 3>* states, Index run) {
    return states ? View<const T, 2>(detail::states_of(*states, run)) : View<const T, 2>();
  }

  void check_states(const char* function, const char* name, const Tensor<T, 3>* states, Index batch) const {
    if (states) check_shape(function, name, extents(*states), Extents<3>{runs(), batch, hidden_dim()});
  }
  void check_made(const char* function) const {
    check(!layers.empty(), [&] { return std::string(function) + ": the layer has no cells, wanted one made from a Config"; });
  }
  void check_call(const Tensor<T, 3>& x, const Options& options) const {
    check_made("Gru::forward");
    check_shape("Gru::forward", "x", extents(x), Extents<3>{-1, -1, input_dim()});
    check_lengths("Gru::forward", "lengths", options.lengths, x.dimension(0), x.dimension(1));
    check_states("Gru::forward", "initial_state", options.initial_state, x.dimension(0));
    if (options.packed) {
      check_extent("Gru::forward", "packed", "size", static_cast<Index>(options.packed->runs.size()), runs());
    }
  }
  void check_backward(const Tensor<T, 3>& d_output, const Tensor<T, 3>* d_state, const Cache& cache) const {
    check_made("Gru::backward");
    check(static_cast<Index>(cache.runs.size()) == runs(), [&] {
      return "Gru::backward: cache holds " + std::to_string(cache.runs.size()) + " runs, wanted the " +
             std::to_string(runs()) + " of a forward call";
    });
    const Extents<3> traced = extents(cache.runs.front().previous);
    check_shape("Gru::backward", "d_output", extents(d_output),
                Extents<3>{traced[0], traced[1], hidden_dim() * directions()});
    check_states("Gru::backward", "d_state", d_state, traced[0]);
  }
};

}  // namespace heed::inline HEED_ABI
