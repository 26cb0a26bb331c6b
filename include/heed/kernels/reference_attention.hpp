#pragma once
// Attention of one head in double, as the papers write it: scaled dot-product (Vaswani et al. 2017) and additive
// (Bahdanau, Cho, Bengio 2015), forward and backward. A key takes part for a query when visible(query, key) says so;
// all others are never read. A query that sees no key gets zeros, logsumexp -inf and passes no gradient.

#include <concepts>
#include <vector>

#include <heed/kernels/reference.hpp>

namespace heed::inline HEED_ABI::reference {

/// visible(query, key): the keys before one length.
struct KeyLength {
  Index length;
  bool operator()(Index, Index key) const { return key < length; }
};

/// probabilities (Tq, Tk) = softmax over the visible keys of score(i, j); logsumexp (Tq) may be null.
template <class Score, std::predicate<Index, Index> Visible>
void attention_probabilities(Score&& score, Visible&& visible, Matrix probabilities, double* logsumexp) {
  for (Index i = 0; i < probabilities.rows; ++i) {
    double row_max = -infinity;
    double sum = 0;
    for (Index j = 0; j < probabilities.cols; ++j) {
      probabilities(i, j) = visible(i, j) ? score(i, j) : -infinity;
      const double s = probabilities(i, j);
      if (s > row_max || std::isnan(s)) row_max = s;
    }
    for (Index j = 0; j < probabilities.cols; ++j) {
      probabilities(i, j) = visible(i, j) ? std::exp(probabilities(i, j) - row_max) : 0;
      sum += probabilities(i, j);
    }
    for (Index j = 0; j < probabilities.cols; ++j) probabilities(i, j) = visible(i, j) ? probabilities(i, j) / sum : 0;
    if (logsumexp) logsumexp[i] = sum == 0 ? -infinity : row_max + std::log(sum);
  }
}

/// output (Tq, E) = probabilities (Tq, Tk) value (Tk, E) over the visible keys.
template <std::predicate<Index, Index> Visible>
void attention_output(ConstMatrix probabilities, ConstMatrix value, Visible&& visible, Matrix output) {
  for (Index i = 0; i < output.rows; ++i) {
    for (Index e = 0; e < output.cols; ++e) {
      double sum = 0;
      for (Index j = 0; j < value.rows; ++j) {
        if (visible(i, j)) sum += probabilities(i, j) * value(j, e);
      }
      output(i, e) = sum;
    }
  }
}

/// From d_output (Tq, E): d_value (Tk, E) and d_scores (Tq, Tk), which is 0 where nothing is visible.
template <std::predicate<Index, Index> Visible>
void attention_output_backward(ConstMatrix probabilities, ConstMatrix value, ConstMatrix d_output, Visible&& visible,
                               Matrix d_value, Matrix d_scores) {
  for (Index j = 0; j < value.rows; ++j) {
    for (Index e = 0; e < value.cols; ++e) d_value(j, e) = 0;
  }
  for (Index i = 0; i < d_output.rows; ++i) {
    double mean = 0;  // sum_j p_j d_p_j
    for (Index j = 0; j < value.rows; ++j) {
      d_scores(i, j) = 0;
      if (!visible(i, j)) continue;
      for (Index e = 0; e < value.cols; ++e) {
        d_scores(i, j) += d_output(i, e) * value(j, e);
        d_value(j, e) += probabilities(i, j) * d_output(i, e);
      }
      mean += probabilities(i, j) * d_scores(i, j);
    }
    for (Index j = 0; j < value.rows; ++j) {
      if (visible(i, j)) d_scores(i, j) = probabilities(i, j) * (d_scores(i, j) - mean);
    }
  }
}

/// Scaled dot-product attention: score(i, j) = scale q_i . k_j. query (Tq, D), key (Tk, D), value (Tk, E) ->
/// output (Tq, E), probabilities (Tq, Tk), logsumexp (Tq, may be null).
template <std::predicate<Index, Index> Visible>
void dot_product_attention(ConstMatrix query, ConstMatrix key, ConstMatrix value, double scale, Visible&& visible,
                           Matrix output, Matrix probabilities, double* logsumexp) {
  const auto score = [&](Index i, Index j) {
    double sum = 0;
    for (Index d = 0; d < query.cols; ++d) sum += query(i, d) * key(j, d);
    return scale * sum;
  };
  attention_probabilities(score, visible, probabilities, logsumexp);
  attention_output(probabilities, value, visible, output);
}

/// d_output (Tq, E) -> d_query (Tq, D), d_key (Tk, D), d_value (Tk, E), with the forward's probabilities.
template <std::predicate<Index, Index> Visible>
void dot_product_attention_backward(ConstMatrix query, ConstMatrix key, ConstMatrix value, double scale,
                                    Visible&& visible, ConstMatrix probabilities, ConstMatrix d_output, Matrix d_query,
                                    Matrix d_key, Matrix d_value) {
  std::vector<double> storage(static_cast<std::size_t>(query.rows * key.rows));
  const Matrix d_scores(storage.data(), query.rows, key.rows);
  attention_output_backward(probabilities, value, d_output, visible, d_value, d_scores);
  for (Index d = 0; d < query.cols; ++d) {
    for (Index i = 0; i < query.rows; ++i) d_query(i, d) = 0;
    for (Index j = 0; j < key.rows; ++j) d_key(j, d) = 0;
    for (Index i = 0; i < query.rows; ++i) {
      for (Index j = 0; j < key.rows; ++j) {
        if (!visible(i, j)) continue;
        d_query(i, d) += scale * d_scores(i, j) * key(j, d);
        d_key(j, d) += scale * d_scores(i, j) * query(i, d);
      }
    }
  }
}

/// e_ij = sum_u v_u tanh(q_iu + k_ju) for the projected query (Tq, U), bias included, and projected key (Tk, U), v (U);
/// exactly 0 where nothing is visible.
template <std::predicate<Index, Index> Visible>
void additive_scores(ConstMatrix query, ConstMatrix key, const double* v, Visible&& visible, Matrix scores) {
  for (Index i = 0; i < query.rows; ++i) {
    for (Index j = 0; j < key.rows; ++j) {
      scores(i, j) = 0;
      if (!visible(i, j)) continue;
      for (Index u = 0; u < query.cols; ++u) scores(i, j) += v[u] * std::tanh(query(i, u) + key(j, u));
    }
  }
}

/// d_scores (Tq, Tk) -> d_query (Tq, U), d_key (Tk, U), d_v (U), all written.
template <std::predicate<Index, Index> Visible>
void additive_scores_backward(ConstMatrix query, ConstMatrix key, const double* v, Visible&& visible,
                              ConstMatrix d_scores, Matrix d_query, Matrix d_key, double* d_v) {
  for (Index u = 0; u < query.cols; ++u) {
    for (Index i = 0; i < query.rows; ++i) d_query(i, u) = 0;
    for (Index j = 0; j < key.rows; ++j) d_key(j, u) = 0;
    d_v[u] = 0;
    for (Index i = 0; i < query.rows; ++i) {
      for (Index j = 0; j < key.rows; ++j) {
        if (!visible(i, j)) continue;
        const double t = std::tanh(query(i, u) + key(j, u));
        const double d_sum = d_scores(i, j) * v[u] * (1 - t * t);
        d_query(i, u) += d_sum;
        d_key(j, u) += d_sum;
        d_v[u] += d_scores(i, j) * t;
      }
    }
  }
}

/// Bahdanau attention: additive scores, softmax over the visible keys, weighted sum of value (Tk, E).
template <std::predicate<Index, Index> Visible>
void additive_attention(ConstMatrix query, ConstMatrix key, const double* v, ConstMatrix value, Visible&& visible,
                        Matrix output, Matrix probabilities) {
  additive_scores(query, key, v, visible, probabilities);
  attention_probabilities([&](Index i, Index j) { return probabilities(i, j); }, visible, probabilities, nullptr);
  attention_output(probabilities, value, visible, output);
}

/// d_output (Tq, E) -> d_query (Tq, U), d_key (Tk, U), d_v (U), d_value (Tk, E), with the forward's probabilities.
template <std::predicate<Index, Index> Visible>
void additive_attention_backward(ConstMatrix query, ConstMatrix key, const double* v, ConstMatrix value,
                                 Visible&& visible, ConstMatrix probabilities, ConstMatrix d_output, Matrix d_query,
                                 Matrix d_key, double* d_v, Matrix d_value) {
  std::vector<double> storage(static_cast<std::size_t>(query.rows * key.rows));
  const Matrix d_scores(storage.data(), query.rows, key.rows);
  attention_output_backward(probabilities, value, d_output, visible, d_value, d_scores);
  additive_scores_backward(query, key, v, visible, d_scores, d_query, d_key, d_v);
}

}  // namespace heed::inline HEED_ABI::reference
