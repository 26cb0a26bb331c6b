#include <heed/attention/local_luong.hpp>

#include <cmath>

#include "attention/reader_testing.hpp"

using namespace heed;
using namespace heed_test;

namespace {

template <class T>
LocalLuongAttention<T> layer(LuongScore score, Index query_dim, Index key_dim) {
  Rng rng{3, 0};
  return LocalLuongAttention<T>(
      {.content = {.score = score, .query_dim = query_dim, .key_dim = key_dim, .units = score == LuongScore::concat ? 7 : 0},
       .units = 4,
       .window = T(3)},
      rng);
}

}  // namespace

TEMPLATE_TEST_CASE("LocalLuongAttention draws softmax weights towards the predicted place", "[attention]", float, double) {
  using T = TestType;
  const LuongScore score = GENERATE(LuongScore::dot, LuongScore::general, LuongScore::concat);
  const Index key_dim = score == LuongScore::dot ? 6 : 9;
  const auto attention = layer<T>(score, 6, key_dim);
  const Source<T> in(3, 2, 21, 6, key_dim);
  const std::vector<Index> lengths{21, 8, 0};
  const Tensor<T, 3> memory = attention.project(in.keys);
  const auto softmax = attention.content.forward(in.state, memory, in.values, lengths).weights;
  typename LocalLuongAttention<T>::Cache cache;
  const auto read = attention.forward(in.state, memory, in.values, lengths, &cache);
  for (Index b = 0; b < 3; ++b) {
    for (Index i = 0; i < 2; ++i) {
      double logit = 0, context = 0;
      for (Index u = 0; u < 4; ++u) {
        double sum = 0;
        for (Index d = 0; d < 6; ++d) sum += double(attention.position.weight(u, d)) * double(in.state(b, i, d));
        logit += double(attention.position_score(u)) * std::tanh(sum);
      }
      const double place = double(lengths[std::size_t(b)]) / (1 + std::exp(-logit));
      CHECK(close(cache.positions(b, i), place));
      for (Index j = 0; j < 21; ++j) {
        const double distance = (double(j) - place) / 1.5;
        const double weight = double(softmax(b, i, j)) * std::exp(-distance * distance / 2);
        CHECK(close(read.weights(b, i, j), weight));
        context += weight * double(in.values(b, j, 3));
      }
      CHECK(close(read.context(b, i, 3), context));
    }
  }
}

TEST_CASE("LocalLuongAttention's gradients agree with central differences", "[attention]") {
  const LuongScore score = GENERATE(LuongScore::dot, LuongScore::general, LuongScore::concat);
  const Index key_dim = score == LuongScore::dot ? 3 : 4;
  const std::vector<Index> lengths{4, 2};
  check_gradients(layer<double>(score, 3, key_dim), Source<double>(2, 2, 4, 3, key_dim, 5), key_lengths(lengths));
}

TEMPLATE_TEST_CASE("LocalLuongAttention's bits do not depend on batch, padding or poison", "[attention]", float, double) {
  check_sample_bits<LocalLuongAttention<TestType>, TestType>(layer<TestType>(LuongScore::general, 18, 9), 18, 9);
  check_poison<LocalLuongAttention<TestType>, TestType>(layer<TestType>(LuongScore::general, 18, 9), 18, 9);
}

TEST_CASE("LocalLuongAttention reads one query per sample as a sequence of one", "[attention]") {
  const auto attention = layer<double>(LuongScore::general, 6, 9);
  CHECK(heed::parameter_count(attention) == 6 * 9 + 4 * 6 + 4);
  const Source<double> in(2, 1, 7, 6, 9);
  const Tensor<double, 2> state = in.state.chip(0, 1);
  const auto memory = attention.project(in.keys);
  const auto one = attention.forward(state, memory, in.values);
  const auto many = attention.forward(in.state, memory, in.values);
  CHECK(all_same_bits(flat(one.context), flat(many.context)));
  CHECK(all_same_bits(flat(one.weights), flat(many.weights)));
}

TEST_CASE("LocalLuongAttention refuses what does not fit", "[attention]") {
  Rng rng{3, 0};
  CHECK_THROWS_WITH(LocalLuongAttention<float>({.content = {.query_dim = 3, .key_dim = 3}}, rng), Catch::Contains("units is 0"));
  CHECK_THROWS_WITH(LocalLuongAttention<float>({.content = {.query_dim = 3, .key_dim = 3}, .units = 2, .window = 0}, rng),
                    Catch::Contains("wanted both positive"));
  const auto attention = layer<float>(LuongScore::general, 6, 9);
  const Source<float> in(2, 1, 7, 5, 9);
  CHECK_THROWS_WITH(attention.forward(in.state, attention.project(in.keys), in.values), Catch::Contains("state has shape (2, 1, 5)"));
}
