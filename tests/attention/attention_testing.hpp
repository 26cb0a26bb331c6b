#pragma once
// What the attention tests share: reproducible tensors, a textbook attention in double and comparisons bit by bit.

#include <cmath>
#include <cstdint>
#include <functional>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include <heed/core/check.hpp>
#include <heed/core/tensor.hpp>

#include "support/catch.hpp"
#include "support/tolerance.hpp"

namespace heed_test {

using heed::Extents;
using heed::Index;
using heed::Tensor;

template <class T>
inline constexpr T not_a_number = std::numeric_limits<T>::quiet_NaN();
template <class T>
inline constexpr T infinite = std::numeric_limits<T>::infinity();

/// Numbers in [-range, range), the same for the same seed.
template <class T, int Rank>
Tensor<T, Rank> random_tensor(const Extents<Rank>& shape, std::uint64_t seed, double range = 1) {
  Tensor<T, Rank> tensor(shape);
  std::uint64_t state = seed * 0x9E3779B97F4A7C15u + 1;
  for (T& x : heed::flat(tensor)) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    x = static_cast<T>(range * (static_cast<double>(state >> 11) * 0x1p-52 - 1));
  }
  return tensor;
}

template <class T, int Rank>
Tensor<double, Rank> in_double(const Tensor<T, Rank>& tensor) {
  return tensor.template cast<double>();
}

template <class T, int Rank>
bool same_tensor(const Tensor<T, Rank>& a, const Tensor<T, Rank>& b) {
  return heed::extents(a) == heed::extents(b) && all_same_bits(heed::flat(a), heed::flat(b));
}
template <class T, int Rank>
bool close_tensor(const Tensor<T, Rank>& found, const Tensor<double, Rank>& wanted) {
  return heed::extents(found) == heed::extents(wanted) && all_close(heed::flat(found), heed::flat(wanted));
}

/// The leading `counts` of every axis.
template <class T, int Rank>
Tensor<T, Rank> corner(const Tensor<T, Rank>& x, const Extents<Rank>& counts, Index first_batch = 0) {
  Extents<Rank> begin{};
  begin[0] = first_batch;
  return Tensor<T, Rank>(x.slice(begin, counts));
}

/// gradient against the central differences of loss() with respect to the elements of x, which loss reads anew.
template <class Loss>
void check_central_differences(std::span<double> x, std::span<const double> gradient, const Loss& loss) {
  REQUIRE(x.size() == gradient.size());
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double kept = x[i], step = 1e-5;
    x[i] = kept + step;
    const double above = loss();
    x[i] = kept - step;
    const double below = loss();
    x[i] = kept;
    CHECK(gradient[i] == Approx((above - below) / (2 * step)).margin(1e-8));
  }
}

/// The sum of x * weights: a loss whose gradient with respect to x is `weights`.
inline double weighted_sum(const Tensor<double, 4>& x, const Tensor<double, 4>& weights) {
  double sum = 0;
  for (Index i = 0; i < x.size(); ++i) sum += x.data()[i] * weights.data()[i];
  return sum;
}

/// What a call throws; empty when it does not.
template <class Call>
std::string error_of(Call&& call) {
  try {
    call();
  } catch (const heed::Error& error) {
    return error.what();
  }
  return {};
}
inline bool mentions(const std::string& text, std::initializer_list<const char*> parts) {
  for (const char* part : parts) {
    if (text.find(part) == std::string::npos) return false;
  }
  return !text.empty();
}

/// The textbook: one loop per formula, in double, over the pairs that allowed(b, h, i, j) names.
struct Textbook {
  std::function<bool(Index, Index, Index, Index)> allowed = [](Index, Index, Index, Index) { return true; };
  std::function<double(Index, Index, Index, Index)> bias = [](Index, Index, Index, Index) { return 0.0; };
  std::function<double(Index, Index, Index, Index)> kept = [](Index, Index, Index, Index) { return 1.0; };  // dropout
  std::function<double(Index)> sink = [](Index) { return -infinite<double>; };  // of a head
  double scale = 1, softcap = 0;
  Tensor<double, 4> output, weights, d_query, d_key, d_value, d_scores;
  Tensor<double, 3> logsumexp;

  void forward(const Tensor<double, 4>& q, const Tensor<double, 4>& k, const Tensor<double, 4>& v) {
    const Index B = q.dimension(0), H = q.dimension(1), Tq = q.dimension(2), Tk = k.dimension(2);
    output = heed::zeros<double, 4>({B, H, Tq, v.dimension(3)});
    weights = heed::zeros<double, 4>({B, H, Tq, Tk});
    logsumexp = Tensor<double, 3>(B, H, Tq);
    for (Index b = 0; b < B; ++b)
      for (Index h = 0; h < H; ++h)
        for (Index i = 0; i < Tq; ++i) forward_row(q, k, v, b, h, i);
  }
  void backward(const Tensor<double, 4>& d_out, const Tensor<double, 4>& q, const Tensor<double, 4>& k,
                const Tensor<double, 4>& v) {
    d_query = heed::zeros<double, 4>(heed::extents(q));
    d_key = heed::zeros<double, 4>(heed::extents(k));
    d_value = heed::zeros<double, 4>(heed::extents(v));
    d_scores = heed::zeros<double, 4>(heed::extents(weights));
    for (Index b = 0; b < q.dimension(0); ++b)
      for (Index h = 0; h < q.dimension(1); ++h)
        for (Index i = 0; i < q.dimension(2); ++i) backward_row(d_out, q, k, v, b, h, i);
  }

 private:
  static Index kv(const Tensor<double, 4>& q, const Tensor<double, 4>& k, Index h) {
    return h / (q.dimension(1) / k.dimension(1));
  }
  void forward_row(const Tensor<double, 4>& q, const Tensor<double, 4>& k, const Tensor<double, 4>& v, Index b, Index h,
                   Index i) {
    const Index Tk = k.dimension(2), g = kv(q, k, h);
    double row_max = -infinite<double>, sum = 0;
    bool any = false;
    for (Index j = 0; j < Tk; ++j) {
      if (!allowed(b, h, i, j)) continue;
      double s = 0;
      for (Index d = 0; d < q.dimension(3); ++d) s += q(b, h, i, d) * k(b, g, j, d);
      s *= scale;
      if (softcap > 0) s = softcap * std::tanh(s / softcap);
      s += bias(b, h, i, j);
      weights(b, h, i, j) = s;
      row_max = s > row_max || std::isnan(s) ? s : row_max;
      any = true;
    }
    row_max = std::fmax(row_max, sink(h));
    if (sink(h) != -infinite<double>) sum = std::exp(sink(h) - row_max);
    for (Index j = 0; j < Tk; ++j)
      if (allowed(b, h, i, j)) sum += weights(b, h, i, j) = std::exp(weights(b, h, i, j) - row_max);
    for (Index j = 0; j < Tk; ++j) {
      if (!allowed(b, h, i, j)) continue;
      weights(b, h, i, j) /= sum;
      for (Index e = 0; e < v.dimension(3); ++e)
        output(b, h, i, e) += weights(b, h, i, j) * kept(b, h, i, j) * v(b, g, j, e);
    }
    logsumexp(b, h, i) = any ? row_max + std::log(sum) : sink(h);
  }
  void backward_row(const Tensor<double, 4>& d_out, const Tensor<double, 4>& q, const Tensor<double, 4>& k,
                    const Tensor<double, 4>& v, Index b, Index h, Index i) {
    const Index g = kv(q, k, h);
    double mean = 0;
    for (Index j = 0; j < k.dimension(2); ++j) {
      if (!allowed(b, h, i, j)) continue;
      double d_p = 0;
      for (Index e = 0; e < v.dimension(3); ++e) {
        d_p += d_out(b, h, i, e) * v(b, g, j, e) * kept(b, h, i, j);
        d_value(b, g, j, e) += weights(b, h, i, j) * kept(b, h, i, j) * d_out(b, h, i, e);
      }
      d_scores(b, h, i, j) = d_p;
      mean += weights(b, h, i, j) * d_p;
    }
    for (Index j = 0; j < k.dimension(2); ++j) {
      if (!allowed(b, h, i, j)) continue;
      const double d = d_scores(b, h, i, j) = weights(b, h, i, j) * (d_scores(b, h, i, j) - mean);
      for (Index c = 0; c < q.dimension(3); ++c) {
        d_query(b, h, i, c) += scale * d * k(b, g, j, c);
        d_key(b, g, j, c) += scale * d * q(b, h, i, c);
      }
    }
  }
};

}  // namespace heed_test
