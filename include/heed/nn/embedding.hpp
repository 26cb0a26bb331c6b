#pragma once
// A table of vectors looked up by token id; its backward adds to the rows that were looked up.

#include <algorithm>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <heed/core/check.hpp>
#include <heed/core/tensor.hpp>
#include <heed/core/default_executor.hpp>
#include <heed/nn/initialize.hpp>
#include <heed/nn/parameters.hpp>
#include <heed/simd/batch.hpp>

namespace heed::inline HEED_ABI {

template <class T>
struct Embedding {
  struct Config {
    Index vocab_size = 0, embedding_dim = 0;
    std::optional<Index> padding_id = {};  // this row starts at zero and gets no gradient
  };

  Tensor<T, 2> weight;  // (vocab_size, embedding_dim)
  std::optional<Index> padding_id = {};

  /// What backward needs: the ids, in memory order.
  struct Cache {
    std::vector<Index> ids;
  };

  static void fields(auto&& visit, auto&... self) { visit("weight", self.weight...); }

  Embedding() = default;
  /// Standard normal rows, PyTorch's start. Throws heed::Error for sizes below 1 or a padding id outside the table.
  Embedding(const Config& config, Rng& rng) : padding_id(config.padding_id) {
    check(config.vocab_size > 0 && config.embedding_dim > 0, [&] {
      return "Embedding: vocab_size is " + std::to_string(config.vocab_size) + " and embedding_dim " +
             std::to_string(config.embedding_dim) + ", wanted both positive";
    });
    check(!padding_id || (*padding_id >= 0 && *padding_id < config.vocab_size), [&] {
      return "Embedding: padding_id is " + std::to_string(*padding_id) + ", wanted 0 to " +
             std::to_string(config.vocab_size - 1);
    });
    weight = Tensor<T, 2>(config.vocab_size, config.embedding_dim);
    normal(weight, 0, 1, rng);
    if (padding_id) std::fill_n(weight.data() + *padding_id * embedding_dim(), embedding_dim(), T(0));
  }

  Index vocab_size() const { return weight.dimension(0); }
  Index embedding_dim() const { return weight.dimension(1); }

  /// ids (...) -> vectors (..., embedding_dim). Throws heed::Error, with its position, for an id outside the table.
  template <int Rank>
  Tensor<T, Rank + 1> forward(const Tensor<Index, Rank>& ids, Cache* cache = nullptr) const {
    check_ids(flat(ids), extents(ids));
    Extents<Rank + 1> shape;
    std::copy_n(extents(ids).begin(), Rank, shape.begin());
    shape.back() = embedding_dim();
    Tensor<T, Rank + 1> vectors(shape);
    gather(flat(ids), as_matrix(vectors));
    if (cache) cache->ids.assign(flat(ids).begin(), flat(ids).end());
    return vectors;
  }

  /// ids (n) -> vectors (n, embedding_dim), overwritten: the same without allocating.
  void forward_into(std::span<const Index> ids, MatrixView<T> vectors) const {
    const auto count = static_cast<Index>(ids.size());
    check_ids(ids, Extents<1>{count});
    check_shape("Embedding::forward", "vectors", Extents<2>{vectors.rows, vectors.cols},
                Extents<2>{count, embedding_dim()});
    gather(ids, vectors);
  }

  /// d_vectors (..., embedding_dim): adds to grad's rows in the order of the ids, whatever the number of threads.
  template <int Rank>
  void backward(const Tensor<T, Rank>& d_vectors, const Cache& cache, Embedding& grad,
                ExecutorRef executor = default_executor()) const {
    backward_from(as_matrix(d_vectors), cache.ids, grad, executor);
  }
  /// The same from rows (n, embedding_dim) and their ids (n).
  void backward_from(MatrixView<const T> d_vectors, std::span<const Index> ids, Embedding& grad,
                     ExecutorRef executor = default_executor()) const {
    check_shape("Embedding::backward", "d_vectors", Extents<2>{d_vectors.rows, d_vectors.cols},
                Extents<2>{static_cast<Index>(ids.size()), embedding_dim()});
    check_shape("Embedding::backward", "grad.weight", extents(grad.weight), extents(weight));
    check_ids(ids, Extents<1>{static_cast<Index>(ids.size())});
    constexpr Index block = 64;  // columns per task: every row of grad is written by one thread, in row order
    const bool small = d_vectors.rows * d_vectors.cols < Index{1} << 18;  // sooner done than threads are awake
    const Index columns = small ? std::max<Index>(1, embedding_dim()) : block;
    for_each_task(executor, (embedding_dim() + columns - 1) / columns, [&](Index task, Index) {
      const Index first = task * columns, count = std::min(columns, embedding_dim() - first);
      for (Index i = 0; i < d_vectors.rows; ++i) {
        const Index id = ids[static_cast<std::size_t>(i)];
        if (id != padding_id) add(grad.weight.data() + id * embedding_dim() + first, d_vectors.row(i) + first, count);
      }
    });
  }

 private:
  void gather(std::span<const Index> ids, MatrixView<T> vectors) const {
    for (Index i = 0; i < vectors.rows; ++i) {
      const T* const row = weight.data() + ids[static_cast<std::size_t>(i)] * embedding_dim();
      std::copy(row, row + embedding_dim(), vectors.row(i));
    }
  }
  static void add(T* sum, const T* x, Index count) {
    constexpr Index width = lanes<T>;
    Index j = 0;
    for (; j + width <= count; j += width) store(sum + j, load(sum + j) + load(x + j));
    if (j < count) store_partial(sum + j, load_partial(sum + j, count - j) + load_partial(x + j, count - j), count - j);
  }
  template <std::size_t rank>
  void check_ids(std::span<const Index> ids, const std::array<Index, rank>& shape) const {
    for (std::size_t i = 0; i < ids.size(); ++i) {
      check(ids[i] >= 0 && ids[i] < vocab_size(), [&] {
        std::array<Index, rank> place{};
        auto rest = static_cast<Index>(i);
        for (std::size_t axis = rank; axis-- > 0; rest /= shape[axis]) place[axis] = rest % shape[axis];
        return "Embedding: ids" + shape_text(place) + " is " + std::to_string(ids[i]) + ", wanted 0 to " +
               std::to_string(vocab_size() - 1);
      });
    }
  }
};

}  // namespace heed::inline HEED_ABI
