#pragma once
// Pooling over one or two axes: the largest or the mean of the inputs under a window, channel by channel.
//   Y. LeCun et al., "Gradient-Based Learning Applied to Document Recognition", 1998 (mean); M. Riesenhuber, T. Poggio,
//   "Hierarchical Models of Object Recognition in Cortex", 1999 (maximum). Shapes are PyTorch's MaxPool and AvgPool.

#include <algorithm>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include <heed/core/default_executor.hpp>
#include <heed/nn/sliding_window.hpp>

namespace heed::inline HEED_ABI {

/// What a mean divides by where a window reaches over the edge: all its places (torch's default), or those that see an
/// input (Keras).
enum class PoolingCount { all, inputs };

template <int Axes>
struct PoolingConfig {
  Extents<Axes> kernel = repeated<Axes>(2);
  std::optional<Extents<Axes>> stride = {};  // the kernel's extents
  Extents<Axes> padding = {};                // at most half the kernel; -inf to a maximum, 0 to a mean
  PoolingCount count = PoolingCount::all;    // of a mean
};

namespace detail {

template <int Axes>
SlidingWindow<Axes> pooling_window(const char* owner, const PoolingConfig<Axes>& config) {
  const SlidingWindow<Axes> window{config.kernel, config.stride.value_or(config.kernel), repeated<Axes>(1),
                                   config.padding, config.padding};
  window.check_sizes(owner);
  for (std::size_t a = 0; a < Axes; ++a) {
    check(2 * config.padding[a] <= config.kernel[a], [&] {
      return std::string(owner) + ": padding is " + shape_text(config.padding) + ", wanted at most half the kernel " +
             shape_text(config.kernel);
    });
  }
  return window;
}

/// Inputs [first, end) of an axis that output o sees.
struct Seen {
  Index first, end;
  Seen(const WindowAxis& axis, Index o)
      : first(std::max<Index>(axis.source(o, 0), 0)), end(std::min(axis.source(o, 0) + axis.kernel, axis.input)) {}
  Index size() const { return end - first; }
};

/// Calls body(plane, position of the output in it, rows seen, columns seen) for every output of every (sample,
/// channel).
template <class Body>
void for_each_window(const WindowShape& shape, Index planes, ExecutorRef executor, const Body& body) {
  for_each_task(executor, planes, [&](Index plane, Index) {
    for (Index oh = 0; oh < shape.height.output; ++oh) {
      for (Index ow = 0; ow < shape.width.output; ++ow) {
        body(plane, oh * shape.width.output + ow, Seen(shape.height, oh), Seen(shape.width, ow));
      }
    }
  });
}

}  // namespace detail

/// The largest input of each window, the first of equals; NaN if there is one. No parameters.
template <class T, int Axes>
struct MaxPool {
  SlidingWindow<Axes> window;

  /// What backward needs: the shape of x and where each output came from, as a position in its (sample, channel).
  struct Cache {
    Extents<Axes + 2> shape{};
    std::vector<Index> source;
  };

  static void fields(auto&&, auto&...) {}

  MaxPool() : MaxPool(PoolingConfig<Axes>{}) {}
  /// Throws heed::Error for extents below 1 and a padding above half the kernel.
  explicit MaxPool(const PoolingConfig<Axes>& config) : window(detail::pooling_window("MaxPool", config)) {}

  /// x (batch, channels, axes...) -> y (batch, channels, output axes...). cache null: inference. Throws heed::Error
  /// where the window does not fit.
  Tensor<T, Axes + 2> forward(const Tensor<T, Axes + 2>& x, Cache* cache = nullptr,
                              ExecutorRef executor = default_executor()) const {
    Tensor<T, Axes + 2> y(window.output_extents("MaxPool::forward", extents(x), x.dimension(1)));
    const WindowShape shape = window.shape(1, extents(x));
    if (cache) {
      cache->shape = extents(x);
      cache->source.resize(static_cast<std::size_t>(y.size()));
    }
    detail::for_each_window(shape, x.dimension(0) * x.dimension(1), executor,
                            [&](Index plane, Index position, detail::Seen rows, detail::Seen cols) {
                              const T* const in = x.data() + plane * shape.input_size();
                              Index best = rows.first * shape.width.input + cols.first;
                              for (Index i = rows.first; i < rows.end; ++i) {
                                for (Index j = cols.first; j < cols.end; ++j) {
                                  const T value = in[i * shape.width.input + j], leader = in[best];
                                  if (value > leader || (value != value && leader == leader))
                                    best = i * shape.width.input + j;
                                }
                              }
                              const Index place = plane * shape.positions() + position;
                              y.data()[place] = in[best];
                              if (cache) cache->source[static_cast<std::size_t>(place)] = best;
                            });
    return y;
  }

  /// d_y (batch, channels, output axes...) -> d_x: each output's gradient goes to the input it came from.
  Tensor<T, Axes + 2> backward(const Tensor<T, Axes + 2>& d_y, const Cache& cache,
                               ExecutorRef executor = default_executor()) const {
    check_shape("MaxPool::backward", "d_y", extents(d_y),
                window.output_extents("MaxPool::backward", cache.shape, cache.shape[1]));
    Tensor<T, Axes + 2> d_x = zeros<T, Axes + 2>(cache.shape);
    const WindowShape shape = window.shape(1, cache.shape);
    detail::for_each_window(
        shape, cache.shape[0] * cache.shape[1], executor, [&](Index plane, Index position, detail::Seen, detail::Seen) {
          const Index place = plane * shape.positions() + position;
          d_x.data()[plane * shape.input_size() + cache.source[static_cast<std::size_t>(place)]] += d_y.data()[place];
        });
    return d_x;
  }
};

/// The mean of each window. No parameters.
template <class T, int Axes>
struct AveragePool {
  SlidingWindow<Axes> window;
  PoolingCount count = PoolingCount::all;

  /// What backward needs: the shape of x.
  struct Cache {
    Extents<Axes + 2> shape{};
  };

  static void fields(auto&&, auto&...) {}

  AveragePool() : AveragePool(PoolingConfig<Axes>{}) {}
  /// Throws heed::Error for extents below 1 and a padding above half the kernel.
  explicit AveragePool(const PoolingConfig<Axes>& config)
      : window(detail::pooling_window("AveragePool", config)), count(config.count) {}

  /// x (batch, channels, axes...) -> y (batch, channels, output axes...). cache null: inference. Throws heed::Error
  /// where the window does not fit.
  Tensor<T, Axes + 2> forward(const Tensor<T, Axes + 2>& x, Cache* cache = nullptr,
                              ExecutorRef executor = default_executor()) const {
    Tensor<T, Axes + 2> y(window.output_extents("AveragePool::forward", extents(x), x.dimension(1)));
    const WindowShape shape = window.shape(1, extents(x));
    detail::for_each_window(shape, x.dimension(0) * x.dimension(1), executor,
                            [&](Index plane, Index position, detail::Seen rows, detail::Seen cols) {
                              const T* const in = x.data() + plane * shape.input_size();
                              T sum = 0;
                              for (Index i = rows.first; i < rows.end; ++i) {
                                for (Index j = cols.first; j < cols.end; ++j) sum += in[i * shape.width.input + j];
                              }
                              y.data()[plane * shape.positions() + position] = sum / places(shape, rows, cols);
                            });
    if (cache) cache->shape = extents(x);
    return y;
  }

  /// d_y (batch, channels, output axes...) -> d_x: each output's gradient is shared by the inputs it saw.
  Tensor<T, Axes + 2> backward(const Tensor<T, Axes + 2>& d_y, const Cache& cache,
                               ExecutorRef executor = default_executor()) const {
    check_shape("AveragePool::backward", "d_y", extents(d_y),
                window.output_extents("AveragePool::backward", cache.shape, cache.shape[1]));
    Tensor<T, Axes + 2> d_x = zeros<T, Axes + 2>(cache.shape);
    const WindowShape shape = window.shape(1, cache.shape);
    detail::for_each_window(shape, cache.shape[0] * cache.shape[1], executor,
                            [&](Index plane, Index position, detail::Seen rows, detail::Seen cols) {
                              const T share =
                                  d_y.data()[plane * shape.positions() + position] / places(shape, rows, cols);
                              T* const in = d_x.data() + plane * shape.input_size();
                              for (Index i = rows.first; i < rows.end; ++i) {
                                for (Index j = cols.first; j < cols.end; ++j) in[i * shape.width.input + j] += share;
                              }
                            });
    return d_x;
  }

 private:
  T places(const WindowShape& shape, detail::Seen rows, detail::Seen cols) const {
    return static_cast<T>(count == PoolingCount::all ? shape.height.kernel * shape.width.kernel
                                                     : rows.size() * cols.size());
  }
};

template <class T>
using MaxPool1d = MaxPool<T, 1>;
template <class T>
using MaxPool2d = MaxPool<T, 2>;
template <class T>
using AveragePool1d = AveragePool<T, 1>;
template <class T>
using AveragePool2d = AveragePool<T, 2>;

}  // namespace heed::inline HEED_ABI
