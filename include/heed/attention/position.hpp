#pragma once
// Where a token stands, as numbers: sinusoidal encodings (Vaswani et al. 2017, section 3.5), ALiBi's slopes and bias (Press,
// Smith and Lewis 2022), T5's relative buckets (Raffel et al. 2020). Rotary embeddings: <heed/attention/rotary.hpp>.
// Everything is computed in double and rounded once, so tables of float and double agree and far positions stay exact.

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <string>

#include <heed/attention/rotary.hpp>

namespace heed::inline HEED_ABI {

/// Where sines and cosines lie. interleaved: sin, cos, sin, cos, ... (the paper); concatenated: all sines, then all cosines;
/// tensor2tensor: concatenated with the timescales spread over width / 2 - 1 steps, as that library does.
enum class SinusoidLayout { interleaved, concatenated, tensor2tensor };

struct SinusoidOptions {
  SinusoidLayout layout = SinusoidLayout::interleaved;
  Index offset = 0;  // the first row's position
  double base = 10000;
};

/// Encodings (length, width) of positions offset, offset + 1, ...: sin and cos of position * base^(-2i / width). An odd width
/// needs the interleaved layout and ends in a sine. Throws heed::Error for sizes below 0 or a base that is not positive.
template <Real T>
Tensor<T, 2> sinusoidal_encoding(Index length, Index width, const SinusoidOptions& options = {}) {
  const char* const function = "sinusoidal_encoding";
  check_extents(function, "encoding", Extents<2>{length, width});
  detail::check_base(function, options.base);
  check(options.layout == SinusoidLayout::interleaved || width % 2 == 0, [&] {
    return std::string(function) + ": width is " + std::to_string(width) + ", wanted an even one for sines and cosines in halves";
  });
  const Index half = (width + 1) / 2;
  const bool spread = options.layout == SinusoidLayout::tensor2tensor;
  Tensor<T, 2> encoding(length, width);
  for (Index p = 0; p < length; ++p) {
    for (Index i = 0; i < half; ++i) {
      const double exponent = spread ? static_cast<double>(i) / static_cast<double>(std::max<Index>(half - 1, 1))
                                     : 2.0 * static_cast<double>(i) / static_cast<double>(width);
      const double angle = static_cast<double>(p + options.offset) * std::pow(options.base, -exponent);
      const bool interleaved = options.layout == SinusoidLayout::interleaved;
      const Index sine = interleaved ? 2 * i : i, cosine = interleaved ? 2 * i + 1 : half + i;
      encoding(p, sine) = static_cast<T>(std::sin(angle));
      if (cosine < width) encoding(p, cosine) = static_cast<T>(std::cos(angle));
    }
  }
  return encoding;
}

/// ALiBi's slope of each head: 2^(-8 (h + 1) / heads) for a power of two; else those of the next lower power of two, then
/// every other one of twice as many.
template <Real T>
Tensor<T, 1> alibi_slopes(Index heads) {
  check(heads >= 0, [&] { return "alibi_slopes: heads is " + std::to_string(heads) + ", wanted at least 0"; });
  Tensor<T, 1> slopes(heads);
  if (heads == 0) return slopes;
  const auto power = static_cast<Index>(std::bit_floor(static_cast<std::size_t>(heads)));
  const auto slope = [](Index i, Index of) {
    return static_cast<T>(std::exp2(-8.0 * static_cast<double>(i + 1) / static_cast<double>(of)));
  };
  for (Index h = 0; h < heads; ++h) slopes(h) = h < power ? slope(h, power) : slope(2 * (h - power), 2 * power);
  return slopes;
}

/// ALiBi's bias (heads, query_length, key_length): -slope * |p - j| where query i stands at p = i + offset.
template <Real T>
Tensor<T, 3> alibi_bias(const Tensor<T, 1>& slopes, Index query_length, Index key_length, Index offset) {
  Tensor<T, 3> bias(slopes.size(), query_length, key_length);
  for (Index h = 0; h < slopes.size(); ++h) {
    for (Index i = 0; i < query_length; ++i) {
      for (Index j = 0; j < key_length; ++j) bias(h, i, j) = -slopes(h) * static_cast<T>(std::abs(i + offset - j));
    }
  }
  return bias;
}
/// The same where the queries are the last ones of the keys' sequence, as with a cache.
template <Real T>
Tensor<T, 3> alibi_bias(const Tensor<T, 1>& slopes, Index query_length, Index key_length) {
  return alibi_bias(slopes, query_length, key_length, key_length - query_length);
}

/// Whether T5's buckets tell keys behind the query apart, or only those before it.
enum class BucketDirection { both, past };

struct BucketOptions {
  Index buckets = 32;
  Index max_distance = 128;  // all distances from here on share the last bucket
  BucketDirection direction = BucketDirection::both;
};

/// T5's buckets of relative positions: half of a direction's buckets are single distances, the others grow logarithmically up
/// to max_distance. Made once, then asked for every pair. Throws heed::Error where no bucket would be left for a distance.
class RelativeBuckets {
 public:
  explicit RelativeBuckets(const BucketOptions& options = {})
      : options_(options), per_direction_(options.direction == BucketDirection::both ? options.buckets / 2 : options.buckets) {
    check(per_direction_ >= 2, [&] {
      return "RelativeBuckets: buckets is " + std::to_string(options.buckets) + ", wanted at least two per direction";
    });
    check(options.max_distance > per_direction_ / 2, [&] {
      return "RelativeBuckets: max_distance is " + std::to_string(options.max_distance) + ", wanted more than " +
             std::to_string(per_direction_ / 2) + ", the distances that have a bucket of their own";
    });
  }

  Index size() const { return options_.buckets; }

  /// The bucket of relative = key position - query position.
  Index operator()(Index relative) const {
    const bool both = options_.direction == BucketDirection::both;
    const Index first = both && relative > 0 ? per_direction_ : 0, exact = per_direction_ / 2;
    const Index distance = both ? std::abs(relative) : std::max<Index>(-relative, 0);
    if (distance < exact) return first + distance;
    const double ratio = std::log(static_cast<double>(distance) / static_cast<double>(exact)) /
                         std::log(static_cast<double>(options_.max_distance) / static_cast<double>(exact));
    const double grown = ratio * static_cast<double>(per_direction_ - exact);
    return first + std::min(exact + static_cast<Index>(grown), per_direction_ - 1);
  }

 private:
  BucketOptions options_;
  Index per_direction_;
};

/// The relative bias (heads, query_length, key_length) of a table (buckets, heads): table[bucket(j - i - offset)][h].
template <Real T>
Tensor<T, 3> bucket_bias(const Tensor<T, 2>& table, const RelativeBuckets& bucket, Index query_length, Index key_length,
                         Index offset = 0) {
  check_shape("bucket_bias", "table", extents(table), Extents<2>{bucket.size(), -1});
  Tensor<T, 3> bias(table.dimension(1), query_length, key_length);
  for (Index i = 0; i < query_length; ++i) {
    for (Index j = 0; j < key_length; ++j) {
      const Index row = bucket(j - i - offset);
      for (Index h = 0; h < table.dimension(1); ++h) bias(h, i, j) = table(row, h);
    }
  }
  return bias;
}

/// The gradient of bucket_bias: adds d_bias (heads, query_length, key_length) to d_table, pairs in order.
template <Real T>
void bucket_bias_backward(const Tensor<T, 3>& d_bias, const RelativeBuckets& bucket, Tensor<T, 2>& d_table, Index offset = 0) {
  check_shape("bucket_bias_backward", "d_table", extents(d_table), Extents<2>{bucket.size(), d_bias.dimension(0)});
  for (Index i = 0; i < d_bias.dimension(1); ++i) {
    for (Index j = 0; j < d_bias.dimension(2); ++j) {
      const Index row = bucket(j - i - offset);
      for (Index h = 0; h < d_bias.dimension(0); ++h) d_table(row, h) += d_bias(h, i, j);
    }
  }
}

}  // namespace heed::inline HEED_ABI
