#pragma once
// An attention problem by the textbook, in double: kernels/reference_attention.hpp head by head. A sink is one key
// more, visible to all, whose value is zero. Who sees whom is written down here once more, from SEMANTICS alone.

#include <heed/kernels/reference_attention.hpp>

#include "properties/attention_problem.hpp"

namespace heed_test {

template <class T>
bool visible(const AttentionProblem<T>& p, Index b, Index h, Index i, Index j) {
  const auto s = static_cast<std::size_t>(b);
  const Index keys = p.key_lengths.empty() ? p.key_length() : p.key_lengths[s];
  const Index queries = p.query_lengths.empty() ? p.query_length() : p.query_lengths[s];
  if (i >= queries || j >= keys) return false;
  Index offset = p.corner.offset;
  if (p.corner.causality == heed::Causality::bottom_right) offset = keys - queries;
  if (!p.offsets.empty()) offset = p.offsets[s];
  const Index at = i + offset;
  if ((p.corner.causality != heed::Causality::none || !p.offsets.empty()) && j > at) return false;
  if (p.corner.window && p.corner.window->left >= 0 && j < at - p.corner.window->left) return false;
  if (p.corner.window && p.corner.window->right >= 0 && j > at + p.corner.window->right) return false;
  if (p.key_ids.size() > 0 && p.query_ids(b, i) != p.key_ids(b, j)) return false;
  const auto of = [&](const auto& x) {
    return x(b % x.dimension(0), h % x.dimension(1), i % x.dimension(2), j % x.dimension(3));
  };
  if (p.allowed.size() > 0 && of(p.allowed) == 0) return false;
  return p.bias.size() == 0 || of(p.bias) != -infinite<T>;
}

/// What a weight is multiplied by after the softmax.
template <class T>
double kept(const AttentionProblem<T>& p, Index b, Index h, Index i, Index j) {
  const double drop = p.dropout.probability;
  if (drop == 0) return 1;
  const std::uint32_t word = heed::CoordinateBits(*p.dropout.rng)(b, h, i, j);
  return word < heed::probability_threshold(drop) ? 0 : 1 / (1 - drop);
}

inline const AttentionProblem<double>& in_double(const AttentionProblem<double>& p) { return p; }
inline AttentionProblem<double> in_double(const AttentionProblem<float>& p) {
  AttentionProblem<double> wide;
  wide.query = in_double(p.query), wide.key = in_double(p.key), wide.value = in_double(p.value);
  wide.d_output = in_double(p.d_output), wide.bias = in_double(p.bias);
  wide.slopes = in_double(p.slopes), wide.sink = in_double(p.sink);
  wide.corner = p.corner, wide.key_lengths = p.key_lengths, wide.query_lengths = p.query_lengths;
  wide.offsets = p.offsets, wide.query_ids = p.query_ids, wide.key_ids = p.key_ids, wide.allowed = p.allowed;
  if (p.scale) wide.scale = static_cast<double>(*p.scale);
  wide.softcap = static_cast<double>(p.softcap), wide.dropout = p.dropout;
  return wide;
}

/// All outputs and gradients of a problem in double.
class ReferenceProblem {
 public:
  heed::AttentionResult<double> forward;
  heed::AttentionGradients<double> gradients;

  explicit ReferenceProblem(const AttentionProblem<double>& p) : p_(p) {
    const heed::AttentionShape shape = heed::attention_shape<double>(p.query, p.key, p.value);
    forward.output = heed::zeros<double, 4>(shape.output());
    forward.weights = heed::zeros<double, 4>(shape.weights());
    forward.logsumexp = forward.row_max = forward.entropy = heed::zeros<double, 3>(shape.logsumexp());
    forward.key_sums = heed::zeros<double, 3>(shape.key_sums());
    gradients.query = heed::zeros<double, 4>(shape.query());
    gradients.key = heed::zeros<double, 4>(shape.key());
    gradients.value = heed::zeros<double, 4>(shape.value());
    if (p.bias.size() > 0) gradients.bias = heed::zeros<double, 4>(heed::extents(p.bias));
    if (p.sink.size() > 0) gradients.sink = heed::zeros<double, 1>({p.heads()});
    for (b_ = 0; b_ < p.batch(); ++b_)
      for (h_ = 0; h_ < p.heads(); ++h_) head();
  }

 private:
  bool sees(Index i, Index j) const { return j == keys_ ? p_.sink.size() > 0 : visible(p_, b_, h_, i, j); }
  double capped(Index i, Index j) const {
    double sum = 0;
    for (Index d = 0; d < p_.query.dimension(3); ++d) sum += p_.query(b_, h_, i, d) * p_.key(b_, g_, j, d);
    sum *= p_.scale.value_or(1 / std::sqrt(static_cast<double>(p_.query.dimension(3))));
    return p_.softcap > 0 ? p_.softcap * std::tanh(sum / p_.softcap) : sum;
  }
  template <class X>
  auto& bias_of(X& x, Index i, Index j) const {
    return x(b_ % x.dimension(0), h_ % x.dimension(1), i % x.dimension(2), j % x.dimension(3));
  }
  double score(Index i, Index j) const {
    if (j == keys_) return p_.sink(h_);
    double s = capped(i, j);
    if (p_.bias.size() > 0) s += bias_of(p_.bias, i, j);
    if (p_.slopes.size() > 0) s -= p_.slopes(h_) * std::abs(static_cast<double>(i + offset() - j));
    return s;
  }
  Index offset() const {
    const auto s = static_cast<std::size_t>(b_);
    if (!p_.offsets.empty()) return p_.offsets[s];
    if (p_.corner.causality != heed::Causality::bottom_right) return p_.corner.offset;
    return (p_.key_lengths.empty() ? keys_ : p_.key_lengths[s]) -
           (p_.query_lengths.empty() ? p_.query_length() : p_.query_lengths[s]);
  }

  void head() {
    namespace reference = heed::reference;
    keys_ = p_.key_length(), g_ = p_.kv_head(h_);
    const Index queries = p_.query_length(), values = p_.value.dimension(3);
    std::vector<double> space(static_cast<std::size_t>(queries * (keys_ + 1)));
    const reference::Matrix weights(space.data(), queries, keys_ + 1);
    reference::attention_probabilities([&](Index i, Index j) { return score(i, j); },
                                       [&](Index i, Index j) { return sees(i, j); }, weights,
                                       &forward.logsumexp(b_, h_, 0));
    std::vector<double> left(space);
    for (Index i = 0; i < queries; ++i) {
      summarize(i, weights.row(i));
      for (Index j = 0; j < keys_; ++j) left[static_cast<std::size_t>(i * (keys_ + 1) + j)] *= kept(p_, b_, h_, i, j);
    }
    const auto v = reference::ConstMatrix(&p_.value(b_, g_, 0, 0), keys_, values);
    reference::attention_output(
        reference::ConstMatrix(left.data(), queries, keys_, keys_ + 1), v, [&](Index i, Index j) { return sees(i, j); },
        reference::Matrix(&forward.output(b_, h_, 0, 0), queries, values));
    for (Index i = 0; i < queries; ++i) backward_row(i, weights.row(i));
  }
  /// What else is made of a row of weights.
  void summarize(Index i, const double* weights) {
    double& row_max = forward.row_max(b_, h_, i) = -infinite<double>;
    for (Index j = 0; j < keys_; ++j) {
      if (sees(i, j) && (score(i, j) > row_max || std::isnan(score(i, j)))) row_max = score(i, j);
      forward.weights(b_, h_, i, j) = weights[j];
      forward.key_sums(b_, h_, j) += weights[j];
      if (weights[j] != 0) forward.entropy(b_, h_, i) -= weights[j] * std::log(weights[j]);
    }
  }
  void backward_row(Index i, const double* weights) {
    std::vector<double> d_weights(static_cast<std::size_t>(keys_));
    double mean = 0;
    for (Index j = 0; j < keys_; ++j) {
      if (!sees(i, j)) continue;
      const double factor = kept(p_, b_, h_, i, j);
      double& d = d_weights[static_cast<std::size_t>(j)];
      for (Index e = 0; e < p_.value.dimension(3); ++e) {
        d += factor * p_.d_output(b_, h_, i, e) * p_.value(b_, g_, j, e);
        gradients.value(b_, g_, j, e) += weights[j] * factor * p_.d_output(b_, h_, i, e);
      }
      mean += weights[j] * d;
    }
    if (p_.sink.size() > 0) gradients.sink(h_) -= weights[keys_] * mean;
    for (Index j = 0; j < keys_; ++j)
      if (sees(i, j)) add_products(i, j, weights[j] * (d_weights[static_cast<std::size_t>(j)] - mean));
  }
  void add_products(Index i, Index j, double d_score) {
    if (p_.bias.size() > 0) bias_of(gradients.bias, i, j) += d_score;
    const double bounded = p_.softcap > 0 ? capped(i, j) / p_.softcap : 0;
    const Index width = p_.query.dimension(3);
    d_score *= (1 - bounded * bounded) * p_.scale.value_or(1 / std::sqrt(static_cast<double>(width)));
    for (Index d = 0; d < width; ++d) {
      gradients.query(b_, h_, i, d) += d_score * p_.key(b_, g_, j, d);
      gradients.key(b_, g_, j, d) += d_score * p_.query(b_, h_, i, d);
    }
  }

  const AttentionProblem<double>& p_;
  Index b_ = 0, h_ = 0, g_ = 0, keys_ = 0;
};

}  // namespace heed_test
