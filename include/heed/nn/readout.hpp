#pragma once
// What a recurrent decoder's output layer reads: the state itself, or tanh(W [state; context]) (Luong et al. 2015, eq. 5), or
// tanh(W [state; context; embedding]) (Bahdanau et al. 2015, the deep output of their appendix).

#include <algorithm>
#include <cmath>
#include <optional>
#include <span>
#include <vector>

#include <heed/kernels/activation.hpp>
#include <heed/nn/dense.hpp>
#include <heed/nn/dropout.hpp>

namespace heed::inline HEED_ABI {

enum class ReadoutKind { state, attentional, deep };

template <class T>
struct Readout {
  struct Config {
    ReadoutKind kind = ReadoutKind::state;
    Index hidden_dim = 0, memory_dim = 0, embedding_dim = 0;
    Index output_dim = 0;  // of the tanh layer
    double dropout = 0;    // behind the tanh layer
  };
  /// A place in a batch: sample and step.
  struct Place {
    Index sample, step;
  };
  /// What is read, each (rows, its width); context and embedding may be empty where the kind does not read them.
  struct Inputs {
    MatrixView<const T> state, context, embedding;
  };
  struct Cache {
    Tensor<T, 2> joined;     // (rows, widths side by side)
    Tensor<T, 2> activated;  // (rows, output_dim): tanh, before dropout
    Tensor<T, 2> factor;     // (rows, output_dim): 0 or 1 / (1 - rate); empty without dropout
  };

  ReadoutKind kind = ReadoutKind::state;
  std::optional<Dense<T>> dense;
  Dropout<T> dropout;

  static void fields(auto&& visit, auto&... self) { visit("dense", self.dense...); }

  Readout() = default;
  Readout(const Config& config, Rng& rng) : kind(config.kind), dropout(config.dropout) {
    if (kind == ReadoutKind::state) return;
    const Index embedding = kind == ReadoutKind::deep ? config.embedding_dim : 0;
    dense.emplace(typename Dense<T>::Config{.in_features = config.hidden_dim + config.memory_dim + embedding,
                                            .out_features = config.output_dim},
                  rng);
  }

  /// The width of what forward gives for states of hidden_dim.
  Index output_dim(Index hidden_dim) const { return dense ? dense->out_features() : hidden_dim; }

  /// -> (rows, output_dim). drawn null: evaluation. Dropout's bits are those of each row's place, not of the row.
  Tensor<T, 2> forward(const Inputs& in, const Rng* drawn, std::span<const Place> places, Cache* cache,
                       ExecutorRef executor) const {
    const Index rows = in.state.rows;
    if (!dense) return copied(in.state);
    Tensor<T, 2> joined(rows, dense->in_features()), y(rows, dense->out_features());
    join(in, joined);
    dense->forward_into(as_matrix(std::as_const(joined)), as_matrix(y), executor);
    activation_row<T>(Activation::tanh, y.data(), y.data(), y.size());
    if (cache) *cache = {std::move(joined), y, Tensor<T, 2>()};
    if (drawn && dropout.rate > 0) drop(y, *drawn, places, cache);
    return y;
  }

  /// d_y (rows, output_dim) -> d_state, d_context, d_embedding, each (rows, its width) and written, empty views where the
  /// kind does not read them; adds to grad.
  void backward(const Tensor<T, 2>& d_y, const Cache& cache, Readout& grad, MatrixView<T> d_state, MatrixView<T> d_context,
                MatrixView<T> d_embedding, ExecutorRef executor) const {
    if (!dense) return copy(as_matrix(d_y), d_state);
    Tensor<T, 2> d = d_y;
    for (Index i = 0; i < d.size(); ++i) {
      const T t = cache.activated.data()[i];
      const T kept = cache.factor.size() > 0 ? cache.factor.data()[i] : T(1);
      d.data()[i] = d.data()[i] * kept * fnma(t, t, T(1));
    }
    Tensor<T, 2> d_joined(d.dimension(0), dense->in_features());
    dense->backward_into(as_matrix(std::as_const(d)), as_matrix(cache.joined), *grad.dense, as_matrix(d_joined), executor);
    Index first = 0;
    for (const MatrixView<T>& part : {d_state, d_context, d_embedding}) {
      if (!part.data) continue;
      copy(as_matrix(std::as_const(d_joined)).col_block(first, part.cols), part);
      first += part.cols;
    }
  }

 private:
  static void copy(MatrixView<const T> from, MatrixView<T> to) {
    for (Index i = 0; i < from.rows; ++i) std::copy_n(from.row(i), from.cols, to.row(i));
  }
  static Tensor<T, 2> copied(MatrixView<const T> from) {
    Tensor<T, 2> to(from.rows, from.cols);
    copy(from, as_matrix(to));
    return to;
  }
  void join(const Inputs& in, Tensor<T, 2>& joined) const {
    const MatrixView<T> all = as_matrix(joined);
    const Index context = in.state.cols, embedding = context + in.context.cols;
    copy(in.state, all.col_block(0, in.state.cols));
    copy(in.context, all.col_block(context, in.context.cols));
    if (kind == ReadoutKind::deep) copy(in.embedding, all.col_block(embedding, in.embedding.cols));
  }
  void drop(Tensor<T, 2>& y, const Rng& drawn, std::span<const Place> places, Cache* cache) const {
    const CoordinateBits bits(drawn);
    Tensor<T, 2> factor(y.dimension(0), y.dimension(1));
    for (Index i = 0; i < y.dimension(0); ++i) {
      const Place& place = places[static_cast<std::size_t>(i)];
      dropout.draw_row(&factor(i, 0), y.dimension(1), bits, place.sample, place.step);
    }
    for (Index i = 0; i < y.size(); ++i) y.data()[i] *= factor.data()[i];
    if (cache) cache->factor = std::move(factor);
  }
};

}  // namespace heed::inline HEED_ABI
