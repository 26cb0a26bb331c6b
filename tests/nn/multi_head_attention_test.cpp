#include <heed/nn/multi_head_attention.hpp>

#include <heed/attention/key_value_cache.hpp>
#include <heed/core/thread_pool.hpp>

#include "nn/gradient_testing.hpp"
#include "support/catch.hpp"
#include "support/tolerance.hpp"

using namespace heed;
using heed_test::random_tensor;

namespace {

using Layer = MultiHeadAttention<double>;

/// Numbers everywhere, biases and extra keys too.
template <class T>
MultiHeadAttention<T> make(const MultiHeadConfig& config) {
  Rng rng{7, 0};
  MultiHeadAttention<T> layer(config, rng);
  std::uint64_t seed = 20;
  for_each_parameter([&](std::string_view, Role, auto& x) {
    Rng own{seed++, 0};
    for (auto& value : flat(x)) value = static_cast<T>(0.5 * own.normal());
  }, layer);
  return layer;
}

/// The layer from its formula: rows of in_proj, one head at a time. Self-attention of x without extra keys.
Tensor<double, 3> textbook(const Layer& layer, const Tensor<double, 3>& x, bool causal) {
  const auto& c = layer.config;
  const Index batch = x.dimension(0), length = x.dimension(1), dim = c.head_dim, value_dim = c.value_dim;
  const Index key_row = c.heads * dim, value_row = key_row + c.kv_heads * dim;
  const auto projected = [&](Index b, Index t, Index row) {
    double sum = layer.in_proj.in_proj_bias.size() > 0 ? layer.in_proj.in_proj_bias(row) : 0;
    for (Index i = 0; i < c.model_dim; ++i) sum += x(b, t, i) * layer.in_proj.in_proj_weight(row, i);
    return sum;
  };
  Tensor<double, 3> output(batch, length, c.output_dim);
  for (Index b = 0; b < batch; ++b)
    for (Index t = 0; t < length; ++t) {
      std::vector<double> heads;
      for (Index h = 0; h < c.heads; ++h) {
        const Index g = h / (c.heads / c.kv_heads), keys = causal ? t + 1 : length;
        std::vector<double> weight(static_cast<std::size_t>(keys));
        double sum = 0;
        for (Index j = 0; j < keys; ++j) {
          double s = 0;
          for (Index d = 0; d < dim; ++d) s += projected(b, t, h * dim + d) * projected(b, j, key_row + g * dim + d);
          sum += weight[static_cast<std::size_t>(j)] = std::exp(s / std::sqrt(double(dim)));
        }
        for (Index d = 0; d < value_dim; ++d) {
          double out = 0;
          for (Index j = 0; j < keys; ++j)
            out += weight[static_cast<std::size_t>(j)] / sum * projected(b, j, value_row + g * value_dim + d);
          heads.push_back(out);
        }
      }
      for (Index o = 0; o < c.output_dim; ++o) {
        output(b, t, o) = layer.out_proj.bias.size() > 0 ? layer.out_proj.bias(o) : 0;
        for (std::size_t i = 0; i < heads.size(); ++i) output(b, t, o) += heads[i] * layer.out_proj.weight(o, Index(i));
      }
    }
  return output;
}

/// Backward against central differences of the layer's parameters and of three inputs, or of one that is all three.
void check_gradients(Layer layer, Tensor<double, 3> query, Tensor<double, 3> key, Tensor<double, 3> value,
                     const MultiHeadOptions<double>& options, bool self = false) {
  const Rng start{3, 0};
  const auto run = [&](Layer::Cache* cache) {
    Rng rng = start;
    MultiHeadOptions<double> own = options;
    own.rng = options.rng ? &rng : nullptr;
    return self ? layer.forward(query, own, cache).output : layer.forward(query, key, value, own, cache).output;
  };
  Layer::Cache cache;
  const auto output = run(&cache);
  auto d_output = output;
  Rng rng{9, 0};
  for (double& x : flat(d_output)) x = rng.normal();
  Layer grad = zeros_like(layer);
  auto d = layer.backward(d_output, cache, options, grad);
  const auto loss = [&] { return heed_test::weighted_total(run(nullptr), d_output); };
  const auto found = self ? heed::check_gradients(layer, grad, loss, std::tie(query, d.query))
                          : heed::check_gradients(layer, grad, loss, std::tie(query, d.query), std::tie(key, d.key),
                                                  std::tie(value, d.value));
  INFO(found.worst_name << " " << found.worst_element);
  CHECK(found.worst_error < 1e-8);
}

}  // namespace

TEST_CASE("self-attention equals its formula, heads grouped or not, with biases or without", "[nn]") {
  const Index kv_heads = GENERATE(0, 2, 1);
  const Bias bias = GENERATE(Bias::no, Bias::yes);
  const auto layer = make<double>({.model_dim = 12, .heads = 4, .kv_heads = kv_heads, .value_dim = 5, .output_dim = 7,
                                   .bias = bias});
  const auto x = random_tensor<double>(1, 2, 6, 12);
  for (const bool causal : {false, true}) {
    const auto found = layer.forward(x, {.mask = causal ? heed::causal() : Mask{}});
    CHECK(heed_test::all_close(flat(found.output), flat(textbook(layer, x, causal))));
    CHECK(found.weights.size() == 0);
  }
}

TEST_CASE("multi-head attention has the parameters of its configuration", "[nn]") {
  CHECK(parameter_count(make<double>({.model_dim = 12, .heads = 4})) == 4 * 12 * 12 + 4 * 12);
  CHECK(parameter_count(make<double>({.model_dim = 12, .heads = 4, .kv_heads = 1, .bias = Bias::no})) == 12 * (12 + 3 + 3 + 12));
  CHECK(parameter_count(make<double>({.model_dim = 12, .heads = 4, .key_dim = 5, .memory_dim = 6})) ==
        12 * (12 + 5 + 6 + 12) + 48);
  CHECK(parameter_count(make<double>({.model_dim = 12, .heads = 4, .extra_keys = {.learned = 1}})) == 4 * 156 + 24);
  std::vector<std::string> names;
  auto layer = make<double>({.model_dim = 4, .heads = 2});
  for_each_parameter([&](std::string_view name, Role, auto&) { names.emplace_back(name); }, layer);
  CHECK(names == std::vector<std::string>{"in_proj_weight", "in_proj_bias", "out_proj.weight", "out_proj.bias"});
}

TEST_CASE("gradients of self-attention, causal, with dropout", "[nn]") {
  Rng rng{1, 0};
  const auto x = random_tensor<double>(1, 2, 5, 6);
  check_gradients(make<double>({.model_dim = 6, .heads = 2, .dropout = 0.3}), x, x, x, {.mask = causal(), .rng = &rng}, true);
}
TEST_CASE("gradients of cross-attention with widths of their own, grouped heads and lengths", "[nn]") {
  const std::vector<Index> lengths{4, 2};
  check_gradients(make<double>({.model_dim = 6, .heads = 2, .kv_heads = 1, .value_dim = 4, .key_dim = 5, .memory_dim = 7,
                                .output_dim = 3}),
                  random_tensor<double>(1, 2, 3, 6), random_tensor<double>(2, 2, 4, 5), random_tensor<double>(3, 2, 4, 7),
                  {.mask = key_lengths(lengths)});
}
TEST_CASE("gradients with extra keys, under a mask and a bias", "[nn]") {
  const auto bias = random_tensor<double>(4, 3, 5);
  check_gradients(make<double>({.model_dim = 6, .heads = 2, .extra_keys = {.learned = 1, .zeros = 1}}),
                  random_tensor<double>(1, 2, 3, 6), random_tensor<double>(2, 2, 5, 6), random_tensor<double>(3, 2, 5, 6),
                  {.mask = causal(Corner::bottom_right), .bias = bias});
}
TEST_CASE("gradients with rotary positions", "[nn]") {
  const auto table = rotary_table<double>(8, 4);
  const auto x = random_tensor<double>(1, 2, 5, 8);
  check_gradients(make<double>({.model_dim = 8, .heads = 2}), x, x, x, {.mask = causal(), .rotary = &table}, true);
}

TEST_CASE("extra keys are visible to every query, and their weights come last", "[nn]") {
  const auto layer = make<double>({.model_dim = 6, .heads = 2, .extra_keys = {.learned = 1, .zeros = 1}});
  const auto x = random_tensor<double>(1, 1, 3, 6);
  const auto found = layer.forward(x, {.mask = causal(), .return_weights = true});
  REQUIRE(extents(found.weights) == Extents<4>{1, 2, 3, 5});
  CHECK(found.weights(0, 0, 0, 1) == 0);
  CHECK(found.weights(0, 0, 0, 3) > 0);
  CHECK(found.weights(0, 0, 0, 4) > 0);
  double sum = 0;
  for (Index j = 0; j < 5; ++j) sum += found.weights(0, 1, 2, j);
  CHECK(sum == Approx(1));
  const auto mean = average_heads(found.weights);
  CHECK(mean(0, 2, 3) == Approx((found.weights(0, 0, 2, 3) + found.weights(0, 1, 2, 3)) / 2));
}

TEST_CASE("the gradient of a bias comes back in the bias' own extents", "[nn]") {
  auto bias = random_tensor<double>(4, 2, 3, 5);
  const int learned = GENERATE(0, 1);
  const auto layer = make<double>({.model_dim = 6, .heads = 2, .extra_keys = {.learned = learned}});
  const auto query = random_tensor<double>(1, 2, 3, 6), key = random_tensor<double>(2, 2, 5, 6);
  const auto d_output = random_tensor<double>(3, 2, 3, 6);
  Layer::Cache cache;
  const MultiHeadOptions<double> options{.bias = bias};
  layer.forward(query, key, key, options, &cache);
  Layer grad = zeros_like(layer);
  const auto d = layer.backward(d_output, cache, options, grad);
  REQUIRE(extents(d.bias) == Extents<4>{1, 2, 3, 5});
  const auto loss = [&] { return heed_test::weighted_total(layer.forward(query, key, key, options).output, d_output); };
  const double kept = bias(1, 2, 4), step = 1e-5;
  bias(1, 2, 4) = kept + step;
  const double above = loss();
  bias(1, 2, 4) = kept - step;
  CHECK(d.bias(0, 1, 2, 4) == Approx((above - loss()) / (2 * step)).margin(1e-8));
}

TEST_CASE("a sample has the same bits alone and in a batch, padded or not, with any threads", "[nn]") {
  const auto layer = make<float>({.model_dim = 32, .heads = 4, .kv_heads = 2});
  const std::vector<Index> lengths{70, 9, 33};
  const auto x = random_tensor<float>(1, 3, 70, 32);
  Serial serial;
  ThreadPool pool(3);
  const auto together = layer.forward(x, {.mask = causal() & key_lengths(lengths)}, nullptr, pool).output;
  for (Index b = 0; b < 3; ++b) {
    const auto alone = layer.forward(heed_test::sample_of(x, b, lengths[std::size_t(b)], 0.0f), {.mask = causal()}, nullptr, serial);
    bool same = true;
    for (Index t = 0; t < lengths[std::size_t(b)]; ++t)
      for (Index i = 0; i < 32; ++i) same = same && heed_test::same_bits(together(b, t, i), alone.output(0, t, i));
    CHECK(same);
  }
}

TEST_CASE("masked inputs reach no output and no gradient, whatever they hold", "[nn]") {
  const auto layer = make<double>({.model_dim = 6, .heads = 2});
  const std::vector<Index> lengths{3};
  const auto query = random_tensor<double>(1, 1, 4, 6);
  auto memory = random_tensor<double>(2, 1, 5, 6);
  const auto run = [&] {
    Layer::Cache cache;
    const MultiHeadOptions<double> options{.mask = key_lengths(lengths)};
    auto output = layer.forward(query, memory, memory, options, &cache).output;
    Layer grad = zeros_like(layer);
    const auto d = layer.backward(random_tensor<double>(3, 1, 4, 6), cache, options, grad);
    return std::tuple(output, d.query, d.key, grad.in_proj.in_proj_weight);
  };
  const auto wanted = run();
  memory(0, 4, 2) = std::numeric_limits<double>::quiet_NaN();
  memory(0, 3, 0) = std::numeric_limits<double>::infinity();
  const auto found = run();
  CHECK(heed_test::all_same_bits(flat(std::get<0>(found)), flat(std::get<0>(wanted))));
  CHECK(heed_test::all_same_bits(flat(std::get<1>(found)), flat(std::get<1>(wanted))));
  CHECK(heed_test::all_same_bits(flat(std::get<2>(found)), flat(std::get<2>(wanted))));
  CHECK(heed_test::all_same_bits(flat(std::get<3>(found)), flat(std::get<3>(wanted))));
}

TEST_CASE("reading a memory that was projected once, or a cache step by step, equals the whole", "[nn]") {
  const auto layer = make<double>({.model_dim = 8, .heads = 4, .kv_heads = 2});
  const auto x = random_tensor<double>(1, 2, 6, 8);
  const auto whole = layer.forward(x, {.mask = causal()}).output;
  KeyValueCache<double> cache({.batch = 2, .kv_heads = 2, .head_dim = 2, .value_dim = 2});
  Layer::State state;
  for (Index t = 0; t < 6; ++t) {
    const auto step = heed_test::step_of(x, t);
    const View<const double, 3> one(step.data(), {2, 1, 8}, {8, 8, 1});
    layer.project_memory(one, one, {}, state);
    cache.append(layer.keys(state), layer.values(state));
    const auto out = layer.read(one, cache.key(), cache.value(), {}, state).output;
    for (Index b = 0; b < 2; ++b)
      for (Index i = 0; i < 8; ++i) CHECK(out(b, 0, i) == Approx(whole(b, t, i)));
  }
}

TEST_CASE("inference has the bits of a forward that keeps a cache, with packed weights and extra keys too", "[nn]") {
  const MultiHeadConfig configs[] = {{.model_dim = 24, .heads = 4, .kv_heads = 2, .value_dim = 5},
                                     {.model_dim = 24, .heads = 2, .extra_keys = {.learned = 1, .zeros = 1}, .dropout = 0.3}};
  for (const MultiHeadConfig& config : configs) {
    const auto layer = make<float>(config);
    const auto packed = layer.pack();
    for (const Index length : {9, 40, 3}) {  // the thread's memory grows, and is reused
      const auto x = random_tensor<float>(1, 3, length, 24);
      const std::vector<Index> lengths{length, 1, length - 1};
      const auto run = [&](MultiHeadAttention<float>::Cache* cache, const MultiHeadAttention<float>::Packed* given) {
        Rng rng{4, 0};
        const MultiHeadOptions<float> options{.mask = key_lengths(lengths), .rng = &rng, .return_weights = true};
        auto result = layer.forward(x, options, cache, default_executor(), given);
        CHECK(rng.offset == 1);  // drawn from once
        return result;
      };
      MultiHeadAttention<float>::Cache cache;
      const auto kept = run(&cache, nullptr);
      for (const auto& found : {run(nullptr, nullptr), run(nullptr, &packed), run(&cache, &packed)}) {
        CHECK(heed_test::all_same_bits(flat(found.output), flat(kept.output)));
        CHECK(heed_test::all_same_bits(flat(found.weights), flat(kept.weights)));
      }
    }
  }
}

TEST_CASE("multi-head attention refuses what does not fit, by name", "[nn]") {
  Rng rng{1, 0};
  const auto text = [&](auto&& call) -> std::string {
    try {
      call();
    } catch (const Error& error) {
      return error.what();
    }
    return {};
  };
  CHECK(text([&] { Layer({.model_dim = 10, .heads = 4}, rng); }).find("model_dim is 10") != std::string::npos);
  CHECK(text([&] { Layer({.model_dim = 12, .heads = 4, .kv_heads = 3}, rng); }).find("heads is 4") != std::string::npos);
  CHECK(text([&] { Layer({.model_dim = 12, .heads = 4, .dropout = 1.5}, rng); }).find("dropout is 1.5") != std::string::npos);
  const auto layer = make<double>({.model_dim = 6, .heads = 2});
  CHECK(text([&] { layer.forward(random_tensor<double>(1, 2, 3, 5)); }).find("query has shape (2, 3, 5)") != std::string::npos);
  CHECK(text([&] { Layer().forward(random_tensor<double>(1, 2, 3, 5)); }).find("no sizes") != std::string::npos);
}
