#pragma once
// One token drawn from a row of logits: temperature, the k likeliest, the nucleus (SamplingOptions names the sources).
//
// A draw is a pure function of the row, the options and one uniform number, which is itself a pure function of (seed,
// the source's key, which of its samples, step): Philox at that coordinate. So a source's samples depend on no
// neighbour, batch size or thread. Probabilities come from the softmax kernel; they are summed in double, in the order
// of the ids, or from the likeliest down where the distribution is cut.

#include <algorithm>
#include <limits>
#include <optional>
#include <vector>

#include <heed/core/random.hpp>
#include <heed/models/next_tokens.hpp>

namespace heed::inline HEED_ABI {
namespace detail {

/// Uniform in [0, 1), a multiple of 2^-53.
inline double sampling_uniform(std::uint64_t seed, std::uint64_t key, Index sample, Index step) {
  const Philox::Counter word = CoordinateBits(Rng{seed, 0}).quad(Philox::low(key), Philox::high(key), step, sample);
  return static_cast<double>(((std::uint64_t{word[1]} << 32) | word[0]) >> 11) * 0x1p-53;
}

/// A row's tokens that may be drawn, and the probabilities that they are drawn with, up to a factor.
template <class T>
class SampledRow {
 public:
  SampledRow(const NextTokens<T>& next, const SamplingOptions& options)
      : probabilities_(temper(next, options.temperature)) {
    const bool is_cut = options.top_k > 0 || options.top_p < 1;
    if (!is_cut) {
      total_ = mass_of_all();
      return;
    }
    if (options.top_k > 0) tokens_ = next.best(std::min(options.top_k, next.vocab_size));
    total_ = options.top_k > 0 ? mass_of(tokens_) : mass_of_all();
    if (options.top_p < 1) keep_nucleus(next, options);
  }

  /// The token at which the running sum passes uniform * total; nothing where the row has NaN or no possible token.
  std::optional<Index> draw(double uniform) const {
    const double wanted = uniform * total_;
    double sum = 0;
    std::optional<Index> last;
    const Index count =
        tokens_.empty() ? static_cast<Index>(probabilities_.size()) : static_cast<Index>(tokens_.size());
    for (Index i = 0; i < count && total_ > 0; ++i) {
      const Index token = tokens_.empty() ? i : tokens_[static_cast<std::size_t>(i)];
      if (!(probability(token) > 0)) continue;
      last = token;
      sum += probability(token);
      if (sum > wanted) break;
    }
    return last;
  }

 private:
  static std::vector<T> temper(const NextTokens<T>& next, double temperature) {
    const double least = static_cast<double>(std::numeric_limits<T>::min());  // in T neither 0 nor infinite
    const T divisor = static_cast<T>(std::clamp(temperature, least, 1 / least));
    std::vector<T> p(next.logits, next.logits + next.vocab_size);
    const T largest = p[static_cast<std::size_t>(next.best())];
    for (T& x : p) x = (x - largest) / divisor;  // the maximum first, so that a low temperature overflows to -inf alone
    softmax_row(p.data(), p.data(), next.vocab_size, next.vocab_size);
    return p;
  }
  double probability(Index token) const { return static_cast<double>(probabilities_[static_cast<std::size_t>(token)]); }
  double mass_of_all() const {
    double sum = 0;
    for (const T p : probabilities_) sum += static_cast<double>(p);
    return sum;
  }
  double mass_of(const std::vector<Index>& tokens) const {
    double sum = 0;
    for (const Index token : tokens) sum += probability(token);
    return sum;
  }

  /// The fewest likeliest tokens with at least top_p of the mass. Sorts no more of the vocabulary than that takes.
  void keep_nucleus(const NextTokens<T>& next, const SamplingOptions& options) {
    const double wanted = options.top_p * total_;
    for (Index count = 64;; count *= 8) {
      const bool whole = options.top_k > 0 || count >= next.vocab_size;
      if (options.top_k == 0) tokens_ = next.best(std::min(count, next.vocab_size));
      double sum = 0;
      for (std::size_t i = 0; i < tokens_.size() && sum < wanted; ++i) {
        sum += probability(tokens_[i]);
        if (sum < wanted) continue;
        tokens_.resize(i + 1);
        total_ = sum;
        return;
      }
      if (whole) break;  // rounding: all of them together fall short
    }
    total_ = mass_of(tokens_);
  }

  std::vector<T> probabilities_;  // (vocab)
  std::vector<Index> tokens_;     // best first; empty: all
  double total_ = 0;
};

}  // namespace detail
}  // namespace heed::inline HEED_ABI
