#pragma once
// The input projections of multi-head attention: x weight^T + bias for queries, keys and values, whose heads lie side by
// side in the result and are read in place. The parameters are PyTorch's: one weight in_proj_weight of all three where
// their inputs have one width, else q_proj_weight, k_proj_weight and v_proj_weight; one bias in_proj_bias.

#include <algorithm>
#include <utility>

#include <heed/attention/projection.hpp>
#include <heed/kernels/finite.hpp>
#include <heed/nn/initialize.hpp>

namespace heed::inline HEED_ABI {

namespace detail {

/// x (batch, length, heads * dim) as (batch, heads, length, dim), nothing copied.
template <class T>
View<T, 4> split_heads(const View<T, 3>& x, Index heads) {
  const Index dim = heads == 0 ? 0 : x.dimension(2) / heads;
  return {x.data, {x.dimension(0), heads, x.dimension(1), dim}, {x.stride(0), dim, x.stride(1), 1}};
}

/// x with zeros in the rows to which nothing flows back, where any number is not finite: masked data reaches no gradient
/// of a weight (SEMANTICS 11).
template <class T>
MatrixView<const T> read_rows(const MatrixView<const T>& x, const MatrixView<const T>& d_y, Tensor<T, 2>& storage) {
  if (all_finite(x)) return x;
  storage.resize(x.rows, x.cols);
  for (Index i = 0; i < x.rows; ++i) {
    const T* const d_row = d_y.row(i);
    T* const row = storage.data() + i * x.cols;
    const bool unread = std::all_of(d_row, d_row + d_y.cols, [](T d) { return d == T(0); });
    unread ? std::fill_n(row, x.cols, T(0)) : std::copy_n(x.row(i), x.cols, row);
  }
  return as_matrix(std::as_const(storage));
}

}  // namespace detail

/// Which of the three.
enum class HeadInput { query, key, value };

template <class T>
struct HeadProjections {
  /// The extents of the inputs and of the projections.
  struct Sizes {
    Index query_in = 0, key_in = 0, value_in = 0;
    Index query_out = 0, key_out = 0, value_out = 0;
  };

  Tensor<T, 2> in_proj_weight;                                // (query_out + key_out + value_out, query_in), or empty
  Tensor<T, 2> q_proj_weight, k_proj_weight, v_proj_weight;  // (.._out, .._in), or empty
  Tensor<T, 1> in_proj_bias;                                  // (query_out + key_out + value_out), or empty
  Sizes sizes;

  static void fields(auto&& visit, auto&... self) {
    visit("in_proj_weight", self.in_proj_weight...);
    visit("q_proj_weight", self.q_proj_weight...);
    visit("k_proj_weight", self.k_proj_weight...);
    visit("v_proj_weight", self.v_proj_weight...);
    visit("in_proj_bias", self.in_proj_bias..., Role::no_decay);
  }

  HeadProjections() = default;
  /// Glorot's uniform weights and biases of zeros.
  HeadProjections(const Sizes& given, Bias bias, Rng& rng) : sizes(given) {
    const Index all = sizes.query_out + sizes.key_out + sizes.value_out;
    const auto start = [&](Tensor<T, 2>& weight, Index out, Index in) {
      weight.resize(out, in);
      glorot_uniform(weight, rng);
    };
    if (sizes.key_in == sizes.query_in && sizes.value_in == sizes.query_in) {
      start(in_proj_weight, all, sizes.query_in);
    } else {
      start(q_proj_weight, sizes.query_out, sizes.query_in);
      start(k_proj_weight, sizes.key_out, sizes.key_in);
      start(v_proj_weight, sizes.value_out, sizes.value_in);
    }
    if (bias == Bias::yes) in_proj_bias = zeros<T, 1>({all});
  }

  Index in(HeadInput which) const {
    return which == HeadInput::query ? sizes.query_in : which == HeadInput::key ? sizes.key_in : sizes.value_in;
  }
  Index out(HeadInput which) const {
    return which == HeadInput::query ? sizes.query_out : which == HeadInput::key ? sizes.key_out : sizes.value_out;
  }

  /// The rows of one of the three, in the weight of all or in its own, and its part of the bias, null without.
  MatrixView<T> weight(HeadInput which) { return weight_of(*this, which); }
  T* bias(HeadInput which) { return bias_of(*this, which); }

  /// The weights in the order in which products read them, made once per model.
  struct Packed {
    PackedWeight<T> query, key, value;
    const PackedWeight<T>& operator()(HeadInput which) const {
      return which == HeadInput::query ? query : which == HeadInput::key ? key : value;
    }
  };
  Packed pack() const {
    const auto one = [&](HeadInput which) {
      const auto weight = weight_of(*this, which);
      return PackedWeight<T>(Transpose::yes, View<const T, 2>(weight.data, {weight.rows, weight.cols}, {weight.stride, 1}));
    };
    return {one(HeadInput::query), one(HeadInput::key), one(HeadInput::value)};
  }

  /// x (batch, length, in), contiguous -> the first `length` steps of y (batch, steps, out). packed: pack(), or null; it
  /// changes no bit.
  void forward_into(HeadInput which, const View<const T, 3>& x, const View<T, 3>& y, ExecutorRef executor,
                    const Packed* packed = nullptr) const {
    const Index batch = x.dimension(0), length = x.dimension(1), parts = y.dimension(1) == length ? 1 : batch;
    const Index rows = batch * length / std::max<Index>(parts, 1);
    for (Index p = 0; p < parts && rows > 0; ++p) {
      const MatrixView<T> target(y.data + p * y.stride(0), rows, out(which), y.stride(1));
      detail::project_into<T>(MatrixView<const T>(x.data + p * x.stride(0), rows, x.dimension(2)), weight_of(*this, which),
                              bias_of(*this, which), target, executor, packed ? &(*packed)(which) : nullptr);
    }
  }

  /// d_y (rows, out) and the forward's x (rows, in): adds to grad; d_x (rows, in) is written or added to.
  void backward_into(HeadInput which, const MatrixView<const T>& d_y, const MatrixView<const T>& x, HeadProjections& grad,
                     const MatrixView<T>& d_x, Accumulate accumulate, ExecutorRef executor) const {
    Tensor<T, 2> storage;
    matmul<T>(Transpose::no, d_y, Transpose::no, weight_of(*this, which), d_x, accumulate, executor);
    matmul<T>(Transpose::yes, d_y, Transpose::no, detail::read_rows(x, d_y, storage), weight_of(grad, which),
              Accumulate::yes, executor);
    if (T* const d_bias = bias_of(grad, which)) add_rows<T>(d_y, d_bias, executor);
  }

 private:
  /// The first row of `which` in what all three share.
  Index first(HeadInput which) const {
    return which == HeadInput::query ? 0 : sizes.query_out + (which == HeadInput::key ? 0 : sizes.key_out);
  }
  static auto weight_of(auto& self, HeadInput which) {
    if (self.in_proj_weight.size() > 0) return as_matrix(self.in_proj_weight).row_block(self.first(which), self.out(which));
    return as_matrix(which == HeadInput::query ? self.q_proj_weight
                     : which == HeadInput::key ? self.k_proj_weight
                                               : self.v_proj_weight);
  }
  static auto bias_of(auto& self, HeadInput which) {
    return self.in_proj_bias.size() > 0 ? self.in_proj_bias.data() + self.first(which) : nullptr;
  }
};

}  // namespace heed::inline HEED_ABI
