#pragma once
// A learned number per head and bucket of distances, added to the score of every pair: T5's positions.
//   C. Raffel et al., "Exploring the Limits of Transfer Learning with a Unified Text-to-Text Transformer", 2020,
//   section 2.1.
// The number depends on key - query alone, so attention reads one per head and diagonal in place of one per pair.

#include <algorithm>
#include <string>

#include <heed/attention/position.hpp>
#include <heed/nn/initialize.hpp>
#include <heed/nn/parameters.hpp>
#include <heed/simd/row.hpp>

namespace heed::inline HEED_ABI {

/// A bias whose diagonals are constant: value(head, key - query).
template <class T>
class DiagonalBias {
 public:
  DiagonalBias() = default;
  DiagonalBias(Index heads, Index query_length, Index key_length)
      : query_length_(query_length),
        key_length_(key_length),
        values_(heads, std::max<Index>(query_length + key_length - 1, 0)) {}

  Index diagonals() const { return values_.dimension(1); }
  /// key - query on diagonal d.
  Index difference(Index d) const { return d - (query_length_ - 1); }
  T& operator()(Index head, Index d) { return values_(head, d); }

  /// (samples, heads, query_length, key_length), the same for every sample; valid as long as this bias stays.
  View<const T, 4> view(Index samples = 1) const {
    const Index behind = query_length_ > 0 && key_length_ > 0 ? query_length_ - 1 : 0;
    return {values_.data() + behind,
            {samples, values_.dimension(0), query_length_, key_length_},
            {0, diagonals(), -1, 1}};
  }

 private:
  Index query_length_ = 0, key_length_ = 0;
  Tensor<T, 2> values_;  // (heads, diagonals)
};

template <class T>
struct RelativeBias {
  struct Config {
    Index heads = 1;
    BucketOptions buckets = {};
  };

  Tensor<T, 2> weight;  // (buckets, heads), T5's relative_attention_bias
  RelativeBuckets buckets;

  static void fields(auto&& visit, auto&... self) { visit("weight", self.weight..., Role::no_decay); }

  RelativeBias() = default;
  /// Normal numbers of deviation 0.02. Throws heed::Error for sizes below 1 and buckets that leave none for a distance.
  RelativeBias(const Config& config, Rng& rng) : buckets(config.buckets) {
    check(config.heads > 0,
          [&] { return "RelativeBias: heads is " + std::to_string(config.heads) + ", wanted at least 1"; });
    weight = Tensor<T, 2>(buckets.size(), config.heads);
    normal(weight, 0, 0.02, rng);
  }

  Index heads() const { return weight.dimension(1); }

  /// The bias of query_length queries, of which the first stands at key `offset`, and key_length keys.
  DiagonalBias<T> forward(Index query_length, Index key_length, Index offset = 0) const {
    check_extents("RelativeBias::forward", "bias", Extents<2>{query_length, key_length});
    DiagonalBias<T> bias(heads(), query_length, key_length);
    for (Index d = 0; d < bias.diagonals(); ++d) {
      const Index row = buckets(bias.difference(d) - offset);
      for (Index h = 0; h < heads(); ++h) bias(h, d) = weight(row, h);
    }
    return bias;
  }

  /// d_bias (samples, heads, query_length, key_length): adds to grad, every diagonal's sum at once.
  void backward(const Tensor<T, 4>& d_bias, RelativeBias& grad, Index offset = 0) const {
    check_shape("RelativeBias::backward", "d_bias", extents(d_bias), Extents<4>{-1, heads(), -1, -1});
    check_shape("RelativeBias::backward", "grad.weight", extents(grad.weight), extents(weight));
    const Index queries = d_bias.dimension(2), keys = d_bias.dimension(3);
    DiagonalBias<T> sums(heads(), queries, keys);
    for (Index h = 0; h < heads(); ++h)
      for (Index d = 0; d < sums.diagonals(); ++d) sums(h, d) = 0;
    for (Index b = 0; b < d_bias.dimension(0) && keys > 0; ++b)
      for (Index h = 0; h < heads(); ++h)
        for (Index i = 0; i < queries; ++i) add_row(&sums(h, queries - 1 - i), &d_bias(b, h, i, 0), keys);
    for (Index d = 0; d < sums.diagonals(); ++d) {
      const Index row = buckets(sums.difference(d) - offset);
      for (Index h = 0; h < heads(); ++h) grad.weight(row, h) += sums(h, d);
    }
  }
};

}  // namespace heed::inline HEED_ABI
