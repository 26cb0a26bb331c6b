#pragma once
// Co-attention: two sequences that attend to each other through one matrix of scores L = a W b^T.
//   C. Xiong, V. Zhong, R. Socher, "Dynamic Coattention Networks For Question Answering", ICLR 2017, section 2.2 (a is
//   the document, b the question); parallel co-attention with a bilinear form: J. Lu et al., NIPS 2016, eq. 3.
//
//   a_context = softmax(L, over b) b b_context = softmax(L^T, over a) a a_summary = softmax(L, over b) b_context
//
// Three softmax products in two fused calls; L is never stored.

#include <algorithm>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <heed/attention/scaled_dot_product_backward.hpp>
#include <heed/nn/dense.hpp>
#include <heed/nn/head_projections.hpp>

namespace heed::inline HEED_ABI {

template <class T>
struct CoAttention {
  struct Config {
    Index a_dim = 0, b_dim = 0;
  };
  /// The rows' true lengths; empty: all. Contexts and gradients behind them are 0, and padding is never read.
  struct Lengths {
    std::span<const Index> a = {}, b = {};
  };
  struct Result {
    Tensor<T, 3> a_context;  // (batch, a_length, b_dim): what each a looks at in b
    Tensor<T, 3> b_context;  // (batch, b_length, a_dim): what each b looks at in a
    Tensor<T, 3> a_summary;  // (batch, a_length, a_dim): b's contexts through a's weights, the paper's second level
  };
  /// What backward needs.
  struct Cache {
    typename Dense<T>::Cache input;
    Tensor<T, 3> a, b;  // the inputs
    Tensor<T, 3> projected,
        joined;  // a W (batch, a_length, b_dim); b beside b_context (batch, b_length, b_dim + a_dim)
    AttentionResult<T> from_b, from_a;  // b's attention to a, and a's to b
    std::vector<Index> a_lengths, b_lengths;
  };
  struct Gradients {
    Tensor<T, 3> a, b;
  };

  Dense<T> bilinear;  // weight (b_dim, a_dim), no bias: W transposed

  static void fields(auto&& visit, auto&... self) { visit("bilinear", self.bilinear...); }

  CoAttention() = default;
  /// Glorot's uniform weight. Throws heed::Error for sizes below 1.
  CoAttention(const Config& config, Rng& rng) : bilinear({config.a_dim, config.b_dim, Bias::no}, rng) {}

  Index a_dim() const { return bilinear.in_features(); }
  Index b_dim() const { return bilinear.out_features(); }

  /// a (batch, a_length, a_dim), b (batch, b_length, b_dim) -> contexts. cache null: inference. Throws heed::Error on
  /// other shapes and lengths that do not fit.
  Result forward(const Tensor<T, 3>& a, const Tensor<T, 3>& b, const Lengths& lengths = {}, Cache* cache = nullptr,
                 ExecutorRef executor = default_executor()) const {
    check_inputs(a, b);
    Cache local;
    Cache& c = cache ? *cache : local;
    c.a_lengths.assign(lengths.a.begin(), lengths.a.end());
    c.b_lengths.assign(lengths.b.begin(), lengths.b.end());
    check_lengths_fit("a_lengths", c.a_lengths, a);
    check_lengths_fit("b_lengths", c.b_lengths, b);
    c.projected = bilinear.forward(a, nullptr, executor);
    c.from_b = attend(one_head(b), one_head(c.projected), one_head(a), options(c.b_lengths, c.a_lengths), executor);
    Result result{{}, folded(c.from_b.output), {}};
    c.joined = Tensor<T, 3>(b.dimension(0), b.dimension(1), b_dim() + a_dim());
    beside(c.joined, b, result.b_context);
    c.from_a =
        attend(one_head(c.projected), one_head(b), one_head(c.joined), options(c.a_lengths, c.b_lengths), executor);
    const Tensor<T, 3> both = folded(c.from_a.output);
    result.a_context = columns(both, 0, b_dim());
    result.a_summary = columns(both, b_dim(), a_dim());
    if (cache) c.a = a, c.b = b;
    return result;
  }

  /// Gradients of a result's three parts -> of a and b; adds to grad.
  Gradients backward(const Result& d, const Cache& c, CoAttention& grad,
                     ExecutorRef executor = default_executor()) const {
    const char* const function = "CoAttention::backward";
    const Index batch = c.a.dimension(0), a_length = c.a.dimension(1), b_length = c.b.dimension(1);
    check_shape(function, "d.a_context", extents(d.a_context), Extents<3>{batch, a_length, b_dim()});
    check_shape(function, "d.b_context", extents(d.b_context), Extents<3>{batch, b_length, a_dim()});
    check_shape(function, "d.a_summary", extents(d.a_summary), Extents<3>{batch, a_length, a_dim()});
    Tensor<T, 3> d_both(batch, a_length, b_dim() + a_dim());
    beside(d_both, d.a_context, d.a_summary);
    const AttentionGradients<T> outer =
        attend_backward(one_head(d_both), one_head(c.projected), one_head(c.b), one_head(c.joined), c.from_a,
                        options(c.a_lengths, c.b_lengths), executor);
    const Tensor<T, 3> d_joined = folded(outer.value);
    const Tensor<T, 3> d_b_context = d.b_context + columns(d_joined, b_dim(), a_dim());
    const AttentionGradients<T> inner =
        attend_backward(one_head(d_b_context), one_head(c.b), one_head(c.projected), one_head(c.a), c.from_b,
                        options(c.b_lengths, c.a_lengths), executor);
    const Tensor<T, 3> d_projected = folded(outer.query) + folded(inner.key);
    Tensor<T, 2> storage;
    Gradients result{Tensor<T, 3>(extents(c.a)), folded(outer.key)};
    bilinear.backward_into(as_matrix(d_projected), detail::read_rows(as_matrix(c.a), as_matrix(d_projected), storage),
                           grad.bilinear, as_matrix(result.a), executor);
    result.a += folded(inner.value);
    result.b += columns(d_joined, 0, b_dim());
    result.b += folded(inner.query);
    return result;
  }

 private:
  static AttentionOptions<T> options(const std::vector<Index>& queries, const std::vector<Index>& keys) {
    AttentionOptions<T> all{.scale = T(1), .path = QueryPath::block, .return_logsumexp = true};
    if (!queries.empty()) all.mask = all.mask & query_lengths(queries);
    if (!keys.empty()) all.mask = all.mask & key_lengths(keys);
    return all;
  }
  static View<const T, 4> one_head(const Tensor<T, 3>& x) { return detail::split_heads<const T>(view(x), 1); }
  static Tensor<T, 3> folded(const Tensor<T, 4>& x) {
    return x.reshape(Extents<3>{x.dimension(0), x.dimension(2), x.dimension(3)});
  }
  static Tensor<T, 3> columns(const Tensor<T, 3>& x, Index first, Index count) {
    return x.slice(Extents<3>{0, 0, first}, Extents<3>{x.dimension(0), x.dimension(1), count});
  }
  /// to (.., n + m) from left (.., n) and right (.., m).
  static void beside(Tensor<T, 3>& to, const Tensor<T, 3>& left, const Tensor<T, 3>& right) {
    const MatrixView<T> all = as_matrix(to);
    const MatrixView<const T> first = as_matrix(left), second = as_matrix(right);
    for (Index i = 0; i < all.rows; ++i) {
      std::copy_n(first.row(i), first.cols, all.row(i));
      std::copy_n(second.row(i), second.cols, all.row(i) + first.cols);
    }
  }
  void check_inputs(const Tensor<T, 3>& a, const Tensor<T, 3>& b) const {
    const char* const function = "CoAttention::forward";
    check(bilinear.weight.size() > 0,
          [&] { return std::string(function) + ": the layer has no sizes, wanted CoAttention(config, rng)"; });
    check_shape(function, "a", extents(a), Extents<3>{-1, -1, a_dim()});
    check_shape(function, "b", extents(b), Extents<3>{a.dimension(0), -1, b_dim()});
  }
  static void check_lengths_fit(const char* name, const std::vector<Index>& lengths, const Tensor<T, 3>& x) {
    if (!lengths.empty()) {
      detail::check_per_sample("CoAttention::forward", name, std::span<const Index>(lengths), x.dimension(0),
                               {0, x.dimension(1)});
    }
  }
};

}  // namespace heed::inline HEED_ABI
