#pragma once
// Dropout (N. Srivastava et al., JMLR 2014), inverted: kept elements are divided by 1 - rate while training, and
// nothing happens at evaluation.
//
// The bit of an element is Philox4x32-10 of (seed, offset) at its coordinate (sample, step, feature), never at a
// flattened index: padding a batch further, other samples beside it or another number of threads change no sample's
// bits.
//
// Who hands out seed and offset: whoever trains owns one Rng {seed, offset}; each forward with a non-null rng takes
// rng->next(), that is the seed and the current offset, which then moves on by one. Saving those two numbers with a
// checkpoint makes a resumed run draw what an unbroken one would have drawn.

#include <algorithm>
#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include <heed/core/check.hpp>
#include <heed/core/executor.hpp>
#include <heed/core/random.hpp>
#include <heed/core/tensor.hpp>
#include <heed/core/default_executor.hpp>
#include <heed/simd/batch.hpp>

namespace heed::inline HEED_ABI {

/// Which leading axis of a rank-3 tensor is the sample and which the step.
enum class SequenceAxes { batch_step, step_batch };

template <class T>
struct Dropout {
  double rate = 0;  // the probability to drop, 0 to 1

  /// What backward needs: 0 or 1 / (1 - rate) per element in memory order, empty when nothing was dropped; and how many
  /// elements the forward had, -1 before any.
  struct Cache {
    std::vector<T> factor;
    Index size = -1;
  };

  static void fields(auto&&, auto&...) {}  // no parameters

  Dropout() = default;
  /// Throws heed::Error unless 0 <= rate <= 1; rate 1 gives zeros.
  explicit Dropout(double probability) : rate(probability) { check_rate(); }

  /// x (batch, features), or (batch, step, features) or (step, batch, features) as `axes` says -> y of the same shape.
  /// rng null: evaluation, y is x. cache null: no backward will follow. A dropped element is 0 even where x is not
  /// finite.
  template <int Rank>
  Tensor<T, Rank> forward(const Tensor<T, Rank>& x, Rng* rng, Cache* cache = nullptr,
                          SequenceAxes axes = SequenceAxes::batch_step,
                          ExecutorRef executor = default_executor()) const {
    static_assert(Rank == 2 || Rank == 3);
    check_rate();
    Tensor<T, Rank> y = x;
    if (cache) cache->factor.clear(), cache->size = x.size();
    if (!rng) return y;
    const Rng drawn = rng->next();
    if (rate == 0) return y;
    std::vector<T> local;
    std::vector<T>& factor = cache ? cache->factor : local;
    factor.resize(static_cast<std::size_t>(x.size()));
    draw(factor.data(), extents(x), axes, drawn, executor);
    scale(y.data(), factor.data(), y.size());
    return y;
  }

  /// d_y -> d_x, both of x's shape. Throws heed::Error when cache is of another size or of no forward.
  template <int Rank>
  Tensor<T, Rank> backward(const Tensor<T, Rank>& d_y, const Cache& cache) const {
    check_extent("Dropout::backward", "d_y", "size", d_y.size(), cache.size);
    Tensor<T, Rank> d_x = d_y;
    if (!cache.factor.empty()) scale(d_x.data(), cache.factor.data(), d_x.size());
    return d_x;
  }

  /// factor (n) = 0 or 1 / (1 - rate) for features 0 ... n - 1 of one sample at one step.
  void draw_row(T* factor, Index n, const CoordinateBits& bits, Index sample, Index step) const {
    const std::uint64_t bound = probability_threshold(rate);
    if (bound > ~std::uint32_t{0}) return std::fill_n(factor, n, T(0)), void();  // rate 1
    const auto threshold = static_cast<std::uint32_t>(bound);
    const T choice[2] = {static_cast<T>(1 / (1 - rate)), T(0)};
    Index j = 0;
    for (; j + 4 <= n; j += 4) {
      const Philox::Counter words = bits.quad(sample, step, 0, j / 4);
      for (std::size_t w = 0; w < 4; ++w) factor[j + static_cast<Index>(w)] = choice[words[w] < threshold];
    }
    for (; j < n; ++j) factor[j] = choice[bits(sample, step, 0, j) < threshold];
  }

 private:
  void check_rate() const {
    check(rate >= 0 && rate <= 1, [&] { return "Dropout: rate is " + std::to_string(rate) + ", wanted 0 to 1"; });
  }
  template <std::size_t rank>
  void draw(T* factor, const std::array<Index, rank>& shape, SequenceAxes axes, const Rng& drawn,
            ExecutorRef executor) const {
    const Index features = shape[rank - 1], inner = rank == 3 ? shape[1] : 1, rows = shape[0] * inner;
    const CoordinateBits bits(drawn);
    const Index grain = std::max<Index>(1, 8192 / std::max<Index>(1, features));  // rows that are worth a thread
    for_each_task(executor, (rows + grain - 1) / grain, [&](Index task, Index) {
      for (Index row = task * grain; row < std::min(rows, (task + 1) * grain); ++row) {
        const Index outer_place = row / inner, inner_place = row % inner;
        const bool step_first = axes == SequenceAxes::step_batch && rank == 3;
        draw_row(factor + row * features, features, bits, step_first ? inner_place : outer_place,
                 step_first ? outer_place : inner_place);
      }
    });
  }
  static void scale(T* x, const T* factor, Index size) {
    constexpr Index width = lanes<T>;
    const auto scaled = [](const Batch<T>& value, const Batch<T>& f) {
      return select(f == broadcast(T(0)), broadcast(T(0)), value * f);
    };
    Index i = 0;
    for (; i + width <= size; i += width) store(x + i, scaled(load(x + i), load(factor + i)));
    if (i < size)
      store_partial(x + i, scaled(load_partial(x + i, size - i), load_partial(factor + i, size - i)), size - i);
  }
};

}  // namespace heed::inline HEED_ABI
