#include <heed/nn/relative_attention.hpp>

#include "nn/gradient_testing.hpp"
#include "support/catch.hpp"
#include "support/tolerance.hpp"

using namespace heed;
using heed_test::random_tensor;

namespace {

template <class T>
using Layer = RelativeMultiHeadAttention<T>;

template <class T>
Layer<T> make(const typename Layer<T>::Config& config) {
  Rng rng{7, 0};
  Layer<T> layer(config, rng);
  std::uint64_t seed = 20;
  for_each_parameter([&](std::string_view, Role, auto& x) {
    Rng own{seed++, 0};
    for (auto& value : flat(x)) value = static_cast<T>(0.4 * own.normal());
  }, layer);
  return layer;
}

/// row `out` of a weight times x.
template <class W, class X>
double product(const W& weight, Index out, Index in, const X& x) {
  double sum = 0;
  for (Index i = 0; i < in; ++i) sum += double(weight(out, i)) * x(i);
  return sum;
}

/// Scores of one sample and head from the paper's formula.
template <class T>
double score(const Layer<T>& layer, const Tensor<T, 3>& all, Index b, Index h, Index i, Index j, Index past) {
  const Index width = layer.config.model_dim, dim = layer.config.head_dim, heads = layer.config.heads;
  const auto at = [&](Index step) { return [&all, b, step](Index c) { return double(all(b, step, c)); }; };
  const double distance = double(past + i - j);
  const auto encoding = [&](Index c) {
    const double angle = distance * std::pow(10000.0, -2.0 * double(c % (width / 2)) / double(width));
    return c < width / 2 ? std::sin(angle) : std::cos(angle);
  };
  double sum = 0;
  for (Index d = h * dim; d < (h + 1) * dim; ++d) {
    const double q = product(layer.in_proj.in_proj_weight, d, width, at(past + i));
    const double k = product(layer.in_proj.in_proj_weight, heads * dim + d, width, at(j));
    const double r = product(layer.relative_proj.weight, d, width, encoding);
    sum += (q + double(layer.content_bias(h, d - h * dim))) * k + (q + double(layer.position_bias(h, d - h * dim))) * r;
  }
  return sum / std::sqrt(double(dim));
}

/// The layer without biases of its projections; weights (batch, heads, length, keys).
template <class T>
std::pair<Tensor<double, 3>, Tensor<double, 4>> textbook(const Layer<T>& layer, const Tensor<T, 3>& memory, const Tensor<T, 3>& x) {
  const auto& c = layer.config;
  const Tensor<T, 3> all = detail::joined_segments("test", memory, x);
  const Index batch = x.dimension(0), length = x.dimension(1), keys = all.dimension(1), past = keys - length;
  Tensor<double, 4> weights = zeros<double, 4>({batch, c.heads, length, keys});
  Tensor<double, 3> output = zeros<double, 3>({batch, length, c.model_dim});
  for (Index b = 0; b < batch; ++b)
    for (Index h = 0; h < c.heads; ++h)
      for (Index i = 0; i < length; ++i) {
        const Index seen = c.keys == RelativeKeys::past ? past + i + 1 : keys;
        double total = 0;
        for (Index j = 0; j < seen; ++j) total += weights(b, h, i, j) = std::exp(score(layer, all, b, h, i, j, past));
        for (Index j = 0; j < seen; ++j) weights(b, h, i, j) /= total;
        for (Index d = h * c.head_dim; d < (h + 1) * c.head_dim; ++d) {
          double context = 0;
          for (Index j = 0; j < seen; ++j)
            context += weights(b, h, i, j) * product(layer.in_proj.in_proj_weight, 2 * c.heads * c.head_dim + d, c.model_dim,
                                                     [&](Index e) { return double(all(b, j, e)); });
          for (Index o = 0; o < c.model_dim; ++o) output(b, i, o) += context * double(layer.out_proj.weight(o, d));
        }
      }
  return {output, weights};
}

void check_layer(Layer<double> layer, Tensor<double, 3> x, Tensor<double, 3> memory, const Layer<double>::Options& options) {
  const Rng start{3, 0};
  const auto run = [&](Layer<double>::Cache* cache) {
    Rng rng = start;
    Layer<double>::Options own = options;
    own.rng = options.rng ? &rng : nullptr;
    return layer.forward(x, memory, own, cache).output;
  };
  Layer<double>::Cache cache;
  const auto output = run(&cache);
  const auto d_output = random_tensor<double>(9, output.dimension(0), output.dimension(1), output.dimension(2));
  Layer<double> grad = zeros_like(layer);
  auto d = layer.backward(d_output, cache, options, grad);
  const auto found = heed::check_gradients(layer, grad, [&] { return heed_test::weighted_total(run(nullptr), d_output); },
                                           std::tie(x, d.x), std::tie(memory, d.memory));
  INFO(found.worst_name << " " << found.worst_element);
  CHECK(found.worst_error < 1e-7);
}

}  // namespace

TEMPLATE_TEST_CASE("RelativeMultiHeadAttention is the paper's formula", "[nn]", float, double) {
  using T = TestType;
  const Index length = GENERATE(1, 3, 9), past = GENERATE(0, 2, 11);
  const auto keys = GENERATE(RelativeKeys::past, RelativeKeys::all);
  const auto layer = make<T>({.model_dim = 6, .heads = 2, .head_dim = 5, .keys = keys});
  const auto x = random_tensor<T>(1, 2, length, 6), memory = random_tensor<T>(2, 2, past, 6);
  const auto wanted = textbook(layer, memory, x);
  const auto found = layer.forward(x, memory, {.return_weights = true});
  CHECK(heed_test::all_close(flat(found.output), flat(wanted.first)));
  CHECK(heed_test::all_close(flat(found.weights), flat(wanted.second)));
}

TEST_CASE("RelativeMultiHeadAttention's gradients equal central differences", "[nn]") {
  const auto keys = GENERATE(RelativeKeys::past, RelativeKeys::all);
  const Index past = GENERATE(0, 3);
  const auto layer = make<double>({.model_dim = 4, .heads = 2, .keys = keys, .bias = Bias::yes, .dropout = 0.3});
  CHECK(parameter_count(layer) == 3 * (16 + 4) + 16 + 4 + 4 + (16 + 4));
  Rng rng{1, 0};
  check_layer(layer, random_tensor<double>(1, 2, 4, 4), random_tensor<double>(2, 2, past, 4), {});
  check_layer(layer, random_tensor<double>(1, 2, 4, 4), random_tensor<double>(2, 2, past, 4), {.rng = &rng});
}

TEST_CASE("A segment with the memory of all before it is the end of the whole sequence", "[nn]") {
  const auto layer = make<double>({.model_dim = 8, .heads = 2});
  const auto whole = random_tensor<double>(1, 2, 9, 8);
  const auto steps = [&](Index first, Index count) -> Tensor<double, 3> {
    return whole.slice(Extents<3>{0, first, 0}, Extents<3>{2, count, 8});
  };
  const Tensor<double, 3> memory = segment_memory(segment_memory<double>({}, steps(0, 2), 9), steps(2, 3), 9);
  CHECK(heed_test::all_same_bits(flat(memory), flat(steps(0, 5))));
  const auto wanted = layer.forward(whole).output;
  const Tensor<double, 3> last = wanted.slice(Extents<3>{0, 5, 0}, Extents<3>{2, 4, 8});
  CHECK(heed_test::all_close(flat(layer.forward(steps(5, 4), memory).output), flat(last)));
  CHECK(segment_memory(memory, steps(5, 1), 4).dimension(1) == 4);
  CHECK(heed_test::all_same_bits(flat(segment_memory(memory, steps(5, 1), 4)), flat(steps(2, 4))));
}

TEST_CASE("What RelativeMultiHeadAttention masks reaches no output and no gradient", "[nn]") {
  const auto layer = make<float>({.model_dim = 4, .heads = 2, .keys = RelativeKeys::all});
  auto x = random_tensor<float>(1, 2, 5, 4);
  const auto memory = random_tensor<float>(2, 2, 3, 4), d_output = random_tensor<float>(3, 2, 5, 4);
  const std::vector<Index> keys = {8, 6}, queries = {5, 3};
  const Layer<float>::Options options{.mask = key_lengths(keys) & query_lengths(queries)};
  const auto run = [&] {
    Layer<float>::Cache cache;
    Layer<float> grad = zeros_like(layer);
    const auto output = layer.forward(x, memory, options, &cache).output;
    const auto d = layer.backward(d_output, cache, options, grad);
    std::vector<float> all(output.data(), output.data() + output.size());
    for (const auto* t : {&d.x, &d.memory}) all.insert(all.end(), t->data(), t->data() + t->size());
    for_each_parameter([&](std::string_view, Role, const auto& t) { all.insert(all.end(), t.data(), t.data() + t.size()); }, grad);
    return all;
  };
  const auto before = run();
  for (Index t = 3; t < 5; ++t)
    for (Index c = 0; c < 4; ++c) x(1, t, c) = std::numeric_limits<float>::quiet_NaN();
  CHECK(heed_test::all_same_bits(run(), before));
}

TEST_CASE("RelativeMultiHeadAttention has the same bits for any number of threads", "[nn]") {
  const auto layer = make<float>({.model_dim = 8, .heads = 4});
  const auto x = random_tensor<float>(1, 3, 40, 8), memory = random_tensor<float>(2, 3, 30, 8), d = random_tensor<float>(3, 3, 40, 8);
  const auto run = [&](ExecutorRef executor) {
    Layer<float>::Cache cache;
    Layer<float> grad = zeros_like(layer);
    layer.forward(x, memory, {}, &cache, executor);
    layer.backward(d, cache, {}, grad, executor);
    std::vector<float> all;
    for_each_parameter([&](std::string_view, Role, const auto& t) { all.insert(all.end(), t.data(), t.data() + t.size()); }, grad);
    return all;
  };
  Serial serial;
  ThreadPool pool(3);
  CHECK(heed_test::all_same_bits(run(serial), run(pool)));
}

TEST_CASE("RelativeMultiHeadAttention refuses what does not fit", "[nn]") {
  Rng rng{1, 0};
  CHECK_THROWS_WITH(Layer<float>({.model_dim = 5, .heads = 1}, rng), Catch::Contains("model_dim is 5"));
  CHECK_THROWS_WITH(Layer<float>({.model_dim = 6, .heads = 4}, rng), Catch::Contains("a multiple of the 4 heads"));
  const auto layer = make<float>({.model_dim = 4, .heads = 2});
  CHECK_THROWS_WITH(layer.forward(random_tensor<float>(1, 2, 3, 6)), Catch::Contains("x has shape (2, 3, 6)"));
  CHECK_THROWS_WITH(layer.forward(random_tensor<float>(1, 2, 3, 4), random_tensor<float>(1, 1, 3, 4)),
                    Catch::Contains("memory has shape (1, 3, 4)"));
  Layer<float>::Cache cache;
  layer.forward(random_tensor<float>(1, 2, 3, 4), {}, {}, &cache);
  Layer<float> grad = zeros_like(layer);
  CHECK_THROWS_WITH(layer.backward(random_tensor<float>(1, 2, 2, 4), cache, {}, grad), Catch::Contains("d_output has shape (2, 2, 4)"));
}
