#pragma once
// What convolutions and poolings over one or two axes share: how a kernel slides, and its checks.

#include <array>
#include <string>

#include <heed/core/check.hpp>
#include <heed/core/tensor.hpp>
#include <heed/kernels/im2col.hpp>

namespace heed::inline HEED_ABI {

/// How a kernel slides over the last Axes axes of (batch, channels, axes...).
template <int Axes>
struct SlidingWindow {
  Extents<Axes> kernel{}, stride{}, dilation{};
  Extents<Axes> before{}, behind{};  // padding

  /// Outputs along an axis of `input` positions; 0 or fewer where the kernel does not fit.
  Index outputs(std::size_t axis, Index input) const {
    const Index reach = dilation[axis] * (kernel[axis] - 1) + 1, room = input + before[axis] + behind[axis] - reach;
    return room < 0 ? 0 : room / stride[axis] + 1;
  }

  /// Refuses kernels, strides and dilations below 1 and negative padding, by name.
  void check_sizes(const std::string& owner) const {
    const auto check_all = [&](const char* name, const Extents<Axes>& values, Index least) {
      for (const Index value : values) {
        check(value >= least, [&] {
          return owner + ": " + name + " is " + shape_text(values) + ", wanted numbers from " + std::to_string(least) +
                 " up";
        });
      }
    };
    check_all("kernel", kernel, 1);
    check_all("stride", stride, 1);
    check_all("dilation", dilation, 1);
    check_all("padding", before, 0);
    check_all("padding_behind", behind, 0);
  }

  /// The extents of the output for x of these, refused where the kernel does not fit into the padded input.
  Extents<Axes + 2> output_extents(const char* function, Extents<Axes + 2> x, Index channels) const {
    const Extents<Axes + 2> input = x;
    x[1] = channels;
    for (std::size_t a = 0; a < Axes; ++a) {
      x[a + 2] = outputs(a, x[a + 2]);
      check(x[a + 2] > 0, [&] {
        return std::string(function) + ": x has shape " + shape_text(input) + ", wanted axes that the kernel " +
               shape_text(kernel) + " fits into";
      });
    }
    return x;
  }

  /// The same for the kernels' loops: channels of one sample and axes, a missing height is 1.
  WindowShape shape(Index channels, const Extents<Axes + 2>& x) const {
    WindowShape all{.channels = channels, .height = {}, .width = axis(Axes - 1, x)};
    if constexpr (Axes == 2) all.height = axis(0, x);
    return all;
  }

 private:
  WindowAxis axis(std::size_t a, const Extents<Axes + 2>& x) const {
    return {x[a + 2], outputs(a, x[a + 2]), kernel[a], stride[a], dilation[a], before[a]};
  }
};

/// All extents equal: Extents<2>{3, 3}.
template <int Axes>
constexpr Extents<Axes> repeated(Index value) {
  Extents<Axes> all{};
  all.fill(value);
  return all;
}

}  // namespace heed::inline HEED_ABI
