#pragma once
// Batch normalisation: every channel to mean 0 and variance 1 over the batch and all positions, then scaled and
// shifted.
//   S. Ioffe, C. Szegedy, "Batch Normalization: Accelerating Deep Network Training by Reducing Internal Covariate
//   Shift", ICML 2015, algorithms 1 and 2. Names are PyTorch's BatchNorm1d and BatchNorm2d.

#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include <heed/core/check.hpp>
#include <heed/core/default_executor.hpp>
#include <heed/core/tensor.hpp>
#include <heed/nn/parameters.hpp>
#include <heed/simd/row.hpp>

namespace heed::inline HEED_ABI {

/// Which statistics a call normalises with: its own batch's (training), or the running ones (evaluation, or a frozen
/// layer).
enum class Statistics { running, batch };

/// Which variance the running one averages: divided by n - 1 (torch), or by n (Keras).
enum class RunningVariance { unbiased, biased };

template <class T>
struct BatchNorm {
  struct Config {
    Index channels = 0;
    double epsilon = 1e-5;  // Keras' own default is 1e-3
    double momentum = 0.1;  // the share of the new batch in the running statistics; Keras' own is 0.01, written 0.99
    RunningVariance running_variance = RunningVariance::unbiased;
  };

  Tensor<T, 1> weight, bias;               // (channels)
  Tensor<T, 1> running_mean, running_var;  // (channels), buffers
  double epsilon = 1e-5, momentum = 0.1;
  RunningVariance running_variance = RunningVariance::unbiased;

  /// What backward and update need: the input and each channel's statistics.
  struct Cache {
    std::vector<T> x;
    Tensor<T, 1> mean, variance;  // of the batch, variance divided by n; or the running ones
    Statistics statistics = Statistics::running;
    Index count = 0;  // elements per channel
  };

  static void fields(auto&& visit, auto&... self) {
    visit("weight", self.weight..., Role::no_decay);
    visit("bias", self.bias..., Role::no_decay);
    visit("running_mean", self.running_mean..., Role::buffer);
    visit("running_var", self.running_var..., Role::buffer);
  }

  BatchNorm() = default;
  /// Weight 1, bias 0, running mean 0, running variance 1. Throws heed::Error for fewer than one channel, and an
  /// epsilon or momentum outside its range.
  explicit BatchNorm(const Config& config)
      : epsilon(config.epsilon), momentum(config.momentum), running_variance(config.running_variance) {
    check(config.channels > 0,
          [&] { return "BatchNorm: channels is " + std::to_string(config.channels) + ", wanted at least 1"; });
    check(epsilon >= 0 && std::isfinite(epsilon),
          [&] { return "BatchNorm: epsilon is " + std::to_string(epsilon) + ", wanted a finite number from 0 up"; });
    check(momentum >= 0 && momentum <= 1,
          [&] { return "BatchNorm: momentum is " + std::to_string(momentum) + ", wanted 0 to 1"; });
    weight = running_var = Tensor<T, 1>(config.channels).setConstant(T(1));
    bias = running_mean = zeros<T, 1>({config.channels});
  }

  Index channels() const { return weight.size(); }

  /// x (batch, channels, axes...) -> y of x's shape. With Statistics::batch samples depend on each other. cache null:
  /// no backward and no update will follow. Throws heed::Error on another number of channels, and for statistics of a
  /// batch with fewer than two elements per channel.
  template <int Rank>
  Tensor<T, Rank> forward(const Tensor<T, Rank>& x, Statistics statistics = Statistics::running, Cache* cache = nullptr,
                          ExecutorRef executor = default_executor()) const {
    const Layout layout("BatchNorm::forward", "x", *this, extents(x));
    const Index count = layout.batch * layout.inner;
    check(statistics == Statistics::running || count > 1, [&] {
      return "BatchNorm::forward: x has " + std::to_string(count) +
             " elements per channel, wanted at least 2 for the batch's statistics";
    });
    Cache local;
    Cache& c = cache ? *cache : local;
    c.statistics = statistics;
    c.count = count;
    c.mean = running_mean;
    c.variance = running_var;
    if (cache) c.x.assign(x.data(), x.data() + x.size());
    Tensor<T, Rank> y(extents(x));
    for_each_task(executor, channels(), [&](Index channel, Index) {
      if (statistics == Statistics::batch) measure(layout, x.data(), channel, c);
      const T scale = weight(channel) * inverse_deviation(c, channel), shift = c.mean(channel);
      layout.for_each_row(channel, [&](Index at, Index) {
        for (Index i = at; i < at + layout.inner; ++i) y.data()[i] = fma(x.data()[i] - shift, scale, bias(channel));
      });
    });
    return y;
  }

  /// d_y -> d_x, both of x's shape; adds to grad. With the batch's statistics gradients flow through them too.
  template <int Rank>
  Tensor<T, Rank> backward(const Tensor<T, Rank>& d_y, const Cache& cache, BatchNorm& grad,
                           ExecutorRef executor = default_executor()) const {
    const Layout layout("BatchNorm::backward", "d_y", *this, extents(d_y));
    check_extent("BatchNorm::backward", "d_y", "size", d_y.size(), static_cast<Index>(cache.x.size()));
    check_extent("BatchNorm::backward", "grad.weight", "size", grad.weight.size(), channels());
    Tensor<T, Rank> d_x(extents(d_y));
    for_each_task(executor, channels(), [&](Index channel, Index) {
      const T inverse = inverse_deviation(cache, channel), mean = cache.mean(channel);
      double total = 0, along = 0;  // of d_y, and of d_y times the normalised input
      layout.for_each_row(channel, [&](Index at, Index) {
        T row = 0, row_along = 0;
        for (Index i = at; i < at + layout.inner; ++i) {
          row += d_y.data()[i];
          row_along = fma(d_y.data()[i], (cache.x[static_cast<std::size_t>(i)] - mean) * inverse, row_along);
        }
        total += static_cast<double>(row), along += static_cast<double>(row_along);
      });
      grad.bias(channel) += static_cast<T>(total);
      grad.weight(channel) += static_cast<T>(along);
      const bool own = cache.statistics == Statistics::batch;
      const T mean_total = own ? static_cast<T>(total / static_cast<double>(cache.count)) : T(0);
      const T mean_along = own ? static_cast<T>(along / static_cast<double>(cache.count)) : T(0);
      layout.for_each_row(channel, [&](Index at, Index) {
        for (Index i = at; i < at + layout.inner; ++i) {
          const T normal = (cache.x[static_cast<std::size_t>(i)] - mean) * inverse;
          d_x.data()[i] = weight(channel) * inverse * fnma(normal, mean_along, d_y.data()[i] - mean_total);
        }
      });
    });
    return d_x;
  }

  /// Moves the running statistics towards those of the batch that `cache` is of; a call with the running ones leaves
  /// them.
  void update(const Cache& cache) {
    check_extent("BatchNorm::update", "cache.mean", "size", cache.mean.size(), channels());
    if (cache.statistics == Statistics::running) return;
    const auto n = static_cast<double>(cache.count);
    const T factor = static_cast<T>(running_variance == RunningVariance::unbiased ? n / (n - 1) : 1),
            share = T(momentum);
    for (Index c = 0; c < channels(); ++c) {
      running_mean(c) = fma(share, cache.mean(c) - running_mean(c), running_mean(c));
      running_var(c) = fma(share, cache.variance(c) * factor - running_var(c), running_var(c));
    }
  }

 private:
  /// (batch, channels, inner).
  struct Layout {
    Index batch = 0, channels = 0, inner = 1;

    template <std::size_t Rank>
    Layout(const char* function, const char* argument, const BatchNorm& norm, const std::array<Index, Rank>& shape) {
      static_assert(Rank >= 2);
      check(norm.channels() > 0,
            [&] { return std::string(function) + ": the layer has no channels, wanted BatchNorm(Config)"; });
      std::array<Index, Rank> wanted;
      wanted.fill(-1);
      wanted[1] = norm.channels();
      check_shape(function, argument, shape, wanted);
      batch = shape[0], channels = shape[1];
      for (std::size_t a = 2; a < Rank; ++a) inner *= shape[a];
    }
    /// Calls body(first element, sample) for a channel's rows in their order.
    template <class Body>
    void for_each_row(Index channel, const Body& body) const {
      for (Index b = 0; b < batch; ++b) body((b * channels + channel) * inner, b);
    }
  };

  T inverse_deviation(const Cache& cache, Index channel) const {
    return static_cast<T>(1 / std::sqrt(static_cast<double>(cache.variance(channel)) + epsilon));
  }
  /// Mean, then the mean square of what differs from it: rows in T, joined in order in double.
  static void measure(const Layout& layout, const T* x, Index channel, Cache& cache) {
    double total = 0, squares = 0;
    layout.for_each_row(channel, [&](Index at, Index) { total += static_cast<double>(sum<T>(x + at, layout.inner)); });
    const T mean = static_cast<T>(total / static_cast<double>(cache.count));
    layout.for_each_row(channel, [&](Index at, Index) {
      T row = 0;
      for (Index i = at; i < at + layout.inner; ++i) row = fma(x[i] - mean, x[i] - mean, row);
      squares += static_cast<double>(row);
    });
    cache.mean(channel) = mean;
    cache.variance(channel) = static_cast<T>(squares / static_cast<double>(cache.count));
  }
};

}  // namespace heed::inline HEED_ABI
