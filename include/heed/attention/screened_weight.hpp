#pragma once
// ScreenedWeight: which output of a linear layer is the largest, for one row at half the reading (kernels/screen.hpp).

#include <optional>
#include <span>
#include <vector>

#include <heed/attention/matmul.hpp>
#include <heed/kernels/screen.hpp>

namespace heed::inline HEED_ABI {

namespace detail {
struct ScreenScratch;
}

/// The halves of a layer's weight, made once. The weight itself is read for the few outputs that the halves leave open.
class ScreenedWeight {
 public:
  /// weight (out, in) and bias (out), both of which must stay as they are. Throws heed::Error on shapes that do not fit.
  ScreenedWeight(MatrixView<const float> weight, std::span<const float> bias)
      : weight_(weight), bias_(bias.data()), radius_(bias.size()) {
    check_extent("ScreenedWeight", "bias", "size", static_cast<Index>(bias.size()), weight.rows);
    const Index words = screen_size(weight_.rows, weight_.cols);
    storage_.reserve(Workspace::rounded<float>(words));
    words_ = storage_.take<float>(words);
    bound_ = pack_screen(weight_, bias_, words_, radius_.data());
  }

  Index in_features() const { return weight_.cols; }
  Index out_features() const { return weight_.rows; }

  /// The output of x (in) that is the largest, the lowest one among equals, leaving out those of `excluded`: exactly that
  /// of the product computed as chains of fused multiply-adds from the bias on. Nothing where halves cannot tell (numbers
  /// that are not finite, too many close ones): then compute the product.
  std::optional<Index> argmax(std::span<const float> x, std::span<const Index> excluded = {},
                              ExecutorRef executor = default_executor()) const {
    check_extent("ScreenedWeight::argmax", "x", "size", static_cast<Index>(x.size()), in_features());
    float* const scores = thread_scratch<detail::ScreenScratch, float>(out_features());
    const Index pairs = (in_features() + 1) / 2, panels = (out_features() + screen_cols<> - 1) / screen_cols<>;
    const detail::Cut cut(panels, executor.concurrency(), panels_per_task);
    for_each_task(executor, cut.count(), [&](Index task, Index) {
      for (Index panel = cut.first(task); panel < cut.first(task) + cut.size(task); ++panel) {
        const Index first = panel * screen_cols<>;
        screen_panel(in_features(), x.data(), words_ + first * pairs, bias_ + first, scores + first,
                     std::min(screen_cols<>, out_features() - first));
      }
    });
    for (const Index n : excluded) {
      check_index(n);
      scores[n] = -std::numeric_limits<float>::infinity();
    }
    Index open[most_open];
    const Index count = screen_survivors(scores, radius_.data(), out_features(), norm(x), bound_, open, most_open);
    if (count <= 0) return std::nullopt;
    return largest(x, {open, static_cast<std::size_t>(count)});
  }

 private:
  static constexpr Index panels_per_task = 16;  // about 6 us of work where a panel is 64 columns of 256
  static constexpr Index most_open = 64;        // computing these is still far below reading the weight

  void check_index(Index n) const {
    check(n >= 0 && n < out_features(), [&] {
      return "ScreenedWeight::argmax: excluded holds " + std::to_string(n) + ", wanted 0 to " +
             std::to_string(out_features() - 1);
    });
  }

  /// |x|, rounded up.
  static float norm(std::span<const float> x) {
    double sum = 0;
    for (const float value : x) sum += double(value) * double(value);
    return screen_detail::above(std::sqrt(sum));
  }

  /// The one of the open outputs whose chain is the largest.
  Index largest(std::span<const float> x, std::span<const Index> open) const {
    Index best = open.front();
    if (open.size() == 1) return best;
    float most = -std::numeric_limits<float>::infinity();
    for (const Index n : open) {
      float sum = bias_[n];
      for (std::size_t k = 0; k < x.size(); ++k) sum = fma(x[k], weight_.row(n)[k], sum);
      if (sum > most) {
        most = sum;
        best = n;
      }
    }
    return best;
  }

  MatrixView<const float> weight_;
  const float* bias_;
  std::vector<float> radius_;
  Workspace storage_;
  float* words_ = nullptr;
  ScreenBound bound_;
};

}  // namespace heed::inline HEED_ABI
