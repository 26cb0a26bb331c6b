#pragma once
// Convolution (cross-correlation, as everywhere in the field) over one or two axes: y = weight * x + bias.
//   Y. LeCun et al., "Gradient-Based Learning Applied to Document Recognition", 1998; computed as matrix products over
//   the inputs under the kernel (kernels/im2col.hpp), a block of output positions at a time.
// Layout and parameter names are PyTorch's Conv1d and Conv2d.

#include <algorithm>
#include <cmath>
#include <optional>
#include <string>

#include <heed/attention/matmul.hpp>
#include <heed/core/default_executor.hpp>
#include <heed/nn/initialize.hpp>
#include <heed/nn/parameters.hpp>
#include <heed/nn/sliding_window.hpp>
#include <heed/simd/row.hpp>

namespace heed::inline HEED_ABI {

template <class T, int Axes>
struct Conv {
  static_assert(Axes == 1 || Axes == 2);
  struct Config {
    Index in_channels = 0, out_channels = 0;
    Extents<Axes> kernel = repeated<Axes>(1);
    Extents<Axes> stride = repeated<Axes>(1);
    Extents<Axes> padding = {};  // zeros before and behind
    Extents<Axes> dilation = repeated<Axes>(1);
    Index groups = 1;  // output channels of group g read the input channels of group g only
    Bias bias = Bias::yes;
    // another padding behind: kernel - 1 before and 0 behind is causal
    std::optional<Extents<Axes>> padding_behind = {};
  };

  Tensor<T, Axes + 2> weight;  // (out_channels, in_channels / groups, kernel...)
  Tensor<T, 1> bias;           // (out_channels), empty without bias
  SlidingWindow<Axes> window;
  Index groups = 1;

  /// What backward needs: the input.
  struct Cache {
    Tensor<T, Axes + 2> x;
  };

  static void fields(auto&& visit, auto&... self) {
    visit("weight", self.weight...);
    visit("bias", self.bias..., Role::no_decay);
  }

  Conv() = default;
  /// Weight and bias uniform in +-1/sqrt(inputs of one output), as PyTorch starts them. Throws heed::Error for sizes
  /// below 1 and channels that the groups do not divide.
  Conv(const Config& config, Rng& rng)
      : window{config.kernel, config.stride, config.dilation, config.padding,
               config.padding_behind.value_or(config.padding)},
        groups(config.groups) {
    const auto divides = [&](Index channels) { return channels > 0 && groups > 0 && channels % groups == 0; };
    check(divides(config.in_channels) && divides(config.out_channels), [&] {
      return "Conv: in_channels is " + std::to_string(config.in_channels) + " and out_channels " +
             std::to_string(config.out_channels) + ", wanted positive multiples of groups, which is " +
             std::to_string(groups);
    });
    window.check_sizes("Conv");
    Extents<Axes + 2> shape{config.out_channels, config.in_channels / groups};
    std::copy(config.kernel.begin(), config.kernel.end(), shape.begin() + 2);
    weight.resize(shape);
    const double bound = 1 / std::sqrt(static_cast<double>(weight.size() / config.out_channels));
    uniform(weight, -bound, bound, rng);
    if (config.bias == Bias::yes) uniform(bias = Tensor<T, 1>(config.out_channels), -bound, bound, rng);
  }

  Index in_channels() const { return weight.dimension(1) * groups; }
  Index out_channels() const { return weight.dimension(0); }

  /// x (batch, in_channels, axes...) -> y (batch, out_channels, output axes...), where an axis of n gives
  /// (n + paddings - dilation (kernel - 1) - 1) / stride + 1. cache null: inference. Each y is one chain of fused
  /// multiply-adds over channels and kernel that starts from the bias. Throws heed::Error on another number of channels
  /// and where the kernel does not fit.
  Tensor<T, Axes + 2> forward(const Tensor<T, Axes + 2>& x, Cache* cache = nullptr,
                              ExecutorRef executor = default_executor()) const {
    const Plan plan("Conv::forward", *this, extents(x));
    Tensor<T, Axes + 2> y(plan.output);
    const Index blocks = plan.blocks();
    for_each_task(executor, plan.batch() * groups * blocks, [&](Index task, Index) {
      const Index image = task / blocks, block = task % blocks;
      const MatrixView<T> out = plan.image(y.data(), image).col_block(plan.first(block), plan.count(block));
      for (Index c = 0; c < out.rows; ++c) {
        std::fill_n(out.row(c), out.cols, bias.size() > 0 ? bias(image % groups * out.rows + c) : T(0));
      }
      detail::gemm_here<T>(
          Transpose::no, weight_of(weight, image % groups), Transpose::no,
          plan.columns(x.data() + image * plan.shape.input_size(), plan.first(block), plan.count(block)), out,
          Accumulate::yes);
    });
    if (cache) cache->x = x;
    return y;
  }

  /// d_y (batch, out_channels, output axes...) -> d_x of x's shape; adds to grad, samples in their order.
  Tensor<T, Axes + 2> backward(const Tensor<T, Axes + 2>& d_y, const Cache& cache, Conv& grad,
                               ExecutorRef executor = default_executor()) const {
    const Plan plan("Conv::backward", *this, extents(cache.x));
    check_shape("Conv::backward", "d_y", extents(d_y), plan.output);
    check_shape("Conv::backward", "grad.weight", extents(grad.weight), extents(weight));
    check_shape("Conv::backward", "grad.bias", extents(grad.bias), extents(bias));
    Tensor<T, Axes + 2> d_x(extents(cache.x));
    d_x.setZero();
    for_each_task(executor, plan.batch() * groups, [&](Index image, Index) {
      const MatrixView<const T> d_out = plan.image(d_y.data(), image);
      for (Index block = 0; block < plan.blocks(); ++block) {
        const MatrixView<T> d_columns = plan.scratch(plan.count(block));
        detail::gemm_here<T>(Transpose::yes, weight_of(weight, image % groups), Transpose::no,
                             d_out.col_block(plan.first(block), plan.count(block)), d_columns, Accumulate::no);
        col2im<T>(plan.shape, d_columns, plan.first(block), d_x.data() + image * plan.shape.input_size());
      }
    });
    add_parameter_gradients(plan, d_y, cache.x, grad, executor);
    return d_x;
  }

 private:
  struct ColumnScratch;
  struct GradientScratch;

  /// A call's extents, and its output positions in blocks whose columns stay in the second-level cache.
  struct Plan {
    Extents<Axes + 2> output;
    WindowShape shape;  // of one group of one sample
    Index out_rows;     // output channels of a group
    Index block;        // positions

    Plan(const char* function, const Conv& conv, const Extents<Axes + 2>& x) : out_rows(0), block(0) {
      check(conv.weight.size() > 0,
            [&] { return std::string(function) + ": the layer has no weight, wanted Conv(config, rng)"; });
      Extents<Axes + 2> wanted = repeated<Axes + 2>(-1);
      wanted[1] = conv.in_channels();
      check_shape(function, "x", x, wanted);
      output = conv.window.output_extents(function, x, conv.out_channels());
      shape = conv.window.shape(conv.weight.dimension(1), x);
      out_rows = conv.out_channels() / conv.groups;
      constexpr Index cache_elements = Index{1} << 16;  // 256 KiB of float
      block = std::max<Index>(cache_elements / shape.rows() / 64, 1) * 64;
    }
    Index batch() const { return output[0]; }
    Index blocks() const { return (shape.positions() + block - 1) / block; }
    Index first(Index i) const { return i * block; }
    Index count(Index i) const { return std::min(block, shape.positions() - i * block); }
    /// (out_rows, positions) of group i % groups of sample i / groups.
    template <class U>
    MatrixView<U> image(U* y, Index i) const {
      return {y + i * out_rows * shape.positions(), out_rows, shape.positions()};
    }
    MatrixView<T> scratch(Index positions) const {
      return {thread_scratch<ColumnScratch, T>(shape.rows() * positions), shape.rows(), positions};
    }
    /// Columns of one group of one sample in the thread's scratch; of a kernel of one element they are the input
    /// itself.
    MatrixView<const T> columns(const T* x, Index first_position, Index positions) const {
      const auto plain = [](const WindowAxis& a) {
        return a.kernel == 1 && a.stride == 1 && a.padding == 0 && a.input == a.output;
      };
      if (plain(shape.height) && plain(shape.width)) {
        return MatrixView<const T>(x, shape.channels, shape.positions()).col_block(first_position, positions);
      }
      const MatrixView<T> made = scratch(positions);
      im2col<T>(shape, x, first_position, made, 0, made.rows);
      return made;
    }
  };

  /// Group g's rows of a weight as (out_channels / groups, in_channels / groups * kernel).
  static auto weight_of(auto& weight, Index group, Index groups) {
    const Index rows = weight.dimension(0) / groups, cols = weight.size() / weight.dimension(0);
    using Element = std::remove_pointer_t<decltype(weight.data())>;
    return MatrixView<Element>(weight.data() + group * rows * cols, rows, cols);
  }
  MatrixView<const T> weight_of(const Tensor<T, Axes + 2>& tensor, Index group) const {
    return weight_of(tensor, group, groups);
  }

  /// Sums over samples, then blocks of positions, in their order.
  void add_parameter_gradients(const Plan& plan, const Tensor<T, Axes + 2>& d_y, const Tensor<T, Axes + 2>& x,
                               Conv& grad, ExecutorRef executor) const {
    for (Index image = 0; image < plan.batch() * groups; ++image) {
      const T* const input = x.data() + image * plan.shape.input_size();
      for (Index block = 0; block < plan.blocks(); ++block) {
        const Index first = plan.first(block), count = plan.count(block);
        const MatrixView<T> columns(thread_scratch<GradientScratch, T>(plan.shape.rows() * count), plan.shape.rows(),
                                    count);
        const detail::Cut cut(columns.rows, executor.concurrency(), 1);
        for_each_task(executor, cut.count(), [&](Index task, Index) {
          im2col<T>(plan.shape, input, first, columns, cut.first(task), cut.size(task));
        });
        matmul<T>(Transpose::no, plan.image(d_y.data(), image).col_block(first, count), Transpose::yes, columns,
                  weight_of(grad.weight, image % groups, groups), Accumulate::yes, executor);
      }
    }
    for_each_task(executor, bias.size(), [&](Index channel, Index) {
      for (Index b = 0; b < plan.batch(); ++b) {
        const T* const line = d_y.data() + (b * bias.size() + channel) * plan.shape.positions();
        grad.bias(channel) += sum<T>(line, plan.shape.positions());
      }
    });
  }
};

/// x (batch, channels, steps).
template <class T>
using Conv1d = Conv<T, 1>;
/// x (batch, channels, height, width).
template <class T>
using Conv2d = Conv<T, 2>;

}  // namespace heed::inline HEED_ABI
