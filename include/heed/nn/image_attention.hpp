#pragma once
// Self-attention over the positions of feature maps, added to them with a learned weight that starts at 0.
//   H. Zhang et al., "Self-Attention Generative Adversarial Networks", ICML 2019, eq. 1 to 3: f is key, g is query, h
//   is value and v is output here.

#include <algorithm>
#include <string>
#include <utility>

#include <heed/attention/scaled_dot_product_backward.hpp>
#include <heed/nn/dense.hpp>
#include <heed/nn/head_projections.hpp>

namespace heed::inline HEED_ABI {

template <class T>
struct ImageAttention {
  struct Config {
    Index channels = 0;
    Index key_dim = 0;    // of queries and keys; 0: channels / 8, the paper's, at least 1
    Index value_dim = 0;  // 0: the same
    Bias bias = Bias::no;
  };

  Dense<T> query, key, value, output;  // the paper's 1 x 1 convolutions: weight (out, in)
  Tensor<T, 1> gamma;                  // (1)

  /// What backward needs: positions as rows, their projections, what attention gave and what was added.
  struct Cache {
    typename Dense<T>::Cache input, attended;
    Tensor<T, 3> query, key, value;  // (batch, positions, dim)
    AttentionResult<T> attention;
    Tensor<T, 3> added;  // (batch, positions, channels), before gamma
  };
  struct Result {
    Tensor<T, 4> output;  // (batch, channels, height, width)
    Tensor<T, 4>
        weights;  // (batch, 1, positions, positions): row i is what position i looks at; empty unless asked for
  };
  enum class Weights { no, yes };

  static void fields(auto&& visit, auto&... self) {
    visit("query", self.query...);
    visit("key", self.key...);
    visit("value", self.value...);
    visit("output", self.output...);
    visit("gamma", self.gamma..., Role::no_decay);
  }

  ImageAttention() = default;
  /// Projections as Dense starts them, gamma 0: at first the layer hands its input on. Throws heed::Error for fewer
  /// than one channel and negative sizes.
  ImageAttention(const Config& config, Rng& rng) {
    check(config.channels > 0 && config.key_dim >= 0 && config.value_dim >= 0, [&] {
      return "ImageAttention: channels is " + std::to_string(config.channels) + ", key_dim " +
             std::to_string(config.key_dim) + " and value_dim " + std::to_string(config.value_dim) +
             ", wanted positive channels and none negative";
    });
    const Index small = std::max<Index>(config.channels / 8, 1);
    const Index key_dim = config.key_dim > 0 ? config.key_dim : small;
    const Index value_dim = config.value_dim > 0 ? config.value_dim : small;
    query = Dense<T>({config.channels, key_dim, config.bias}, rng);
    key = Dense<T>({config.channels, key_dim, config.bias}, rng);
    value = Dense<T>({config.channels, value_dim, config.bias}, rng);
    output = Dense<T>({value_dim, config.channels, config.bias}, rng);
    gamma = zeros<T, 1>({1});
  }

  Index channels() const { return query.in_features(); }

  /// x (batch, channels, height, width) -> x + gamma * attention over its positions, unscaled as the paper's. cache
  /// null: inference. Memory: the (positions, positions) weights are never stored unless asked for. Throws heed::Error
  /// on another number of channels.
  Result forward(const Tensor<T, 4>& x, Cache* cache = nullptr, Weights weights = Weights::no,
                 ExecutorRef executor = default_executor()) const {
    check_input("ImageAttention::forward", "x", x);
    Cache local;
    Cache& c = cache ? *cache : local;
    const Tensor<T, 3> rows = as_rows(x);
    c.query = query.forward(rows, cache ? &c.input : nullptr, executor);
    c.key = key.forward(rows, nullptr, executor);
    c.value = value.forward(rows, nullptr, executor);
    AttentionOptions<T> options = attention_options();
    options.return_weights = weights == Weights::yes;
    c.attention = attend(one_head(c.query), one_head(c.key), one_head(c.value), options, executor);
    c.added = output.forward(rows_of(c.attention.output), cache ? &c.attended : nullptr, executor);
    return {mixed(x, c.added), std::exchange(c.attention.weights, {})};
  }

  /// d_y of x's shape -> d_x; adds to grad.
  Tensor<T, 4> backward(const Tensor<T, 4>& d_y, const Cache& c, ImageAttention& grad,
                        ExecutorRef executor = default_executor()) const {
    check_input("ImageAttention::backward", "d_y", d_y);
    const Tensor<T, 3> d_rows = as_rows(d_y);
    check_shape("ImageAttention::backward", "d_y's positions", extents(d_rows), extents(c.added));
    double along = 0;
    for (Index i = 0; i < d_rows.dimension(0) * d_rows.dimension(1); ++i) {
      along += static_cast<double>(dot(d_rows.data() + i * channels(), c.added.data() + i * channels(), channels()));
    }
    grad.gamma(0) += static_cast<T>(along);
    const Tensor<T, 3> d_added = d_rows * gamma(0);
    const Tensor<T, 3> d_attended = output.backward(d_added, c.attended, grad.output, executor);
    const AttentionGradients<T> d = attend_backward(one_head(d_attended), one_head(c.query), one_head(c.key),
                                                    one_head(c.value), c.attention, attention_options(), executor);
    Tensor<T, 3> sum = query.backward(rows_of(d.query), c.input, grad.query, executor);
    sum += key.backward(rows_of(d.key), c.input, grad.key, executor);
    sum += value.backward(rows_of(d.value), c.input, grad.value, executor);
    sum += d_rows;
    return as_maps(sum, extents(d_y));
  }

 private:
  static AttentionOptions<T> attention_options() {
    return {.scale = T(1), .path = QueryPath::block, .return_logsumexp = true};
  }
  static View<const T, 4> one_head(const Tensor<T, 3>& rows) { return detail::split_heads<T const>(view(rows), 1); }
  /// (batch, 1, positions, dim) as (batch, positions, dim).
  static Tensor<T, 3> rows_of(const Tensor<T, 4>& x) {
    return x.reshape(Extents<3>{x.dimension(0), x.dimension(2), x.dimension(3)});
  }
  /// (batch, channels, height, width) as (batch, positions, channels), and back.
  static Tensor<T, 3> as_rows(const Tensor<T, 4>& x) {
    const Extents<3> folded{x.dimension(0), x.dimension(1), x.dimension(2) * x.dimension(3)};
    return x.reshape(folded).shuffle(Extents<3>{0, 2, 1});
  }
  static Tensor<T, 4> as_maps(const Tensor<T, 3>& rows, const Extents<4>& shape) {
    return rows.shuffle(Extents<3>{0, 2, 1}).reshape(shape);
  }
  /// x + gamma * added.
  Tensor<T, 4> mixed(const Tensor<T, 4>& x, const Tensor<T, 3>& added) const {
    Tensor<T, 4> y = as_maps(added, extents(x));
    for (Index i = 0; i < y.size(); ++i) y.data()[i] = fma(gamma(0), y.data()[i], x.data()[i]);
    return y;
  }
  void check_input(const char* function, const char* argument, const Tensor<T, 4>& x) const {
    check(query.weight.size() > 0,
          [&] { return std::string(function) + ": the layer has no sizes, wanted ImageAttention(config, rng)"; });
    check_shape(function, argument, extents(x), Extents<4>{-1, channels(), -1, -1});
  }
};

}  // namespace heed::inline HEED_ABI
