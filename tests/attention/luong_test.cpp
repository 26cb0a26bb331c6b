#include <heed/attention/luong.hpp>

#include <cmath>

#include "attention/reader_testing.hpp"

using namespace heed;
using namespace heed_test;

namespace {

template <class T>
LuongAttention<T> layer(LuongScore score, Index query_dim, Index key_dim) {
  Rng rng{3, 0};
  return LuongAttention<T>(
      {.score = score, .query_dim = query_dim, .key_dim = key_dim, .units = score == LuongScore::concat ? 7 : 0}, rng);
}

/// The paper's score of one query and one key.
template <class T>
double textbook_score(const LuongAttention<T>& attention, const Source<T>& in, Index b, Index i, Index j) {
  const Index query_dim = in.state.dimension(2), key_dim = in.keys.dimension(2);
  double score = 0;
  switch (attention.kind) {
    case LuongScore::dot:
      for (Index d = 0; d < key_dim; ++d) score += double(in.state(b, i, d)) * double(in.keys(b, j, d));
      break;
    case LuongScore::general:
      for (Index d = 0; d < query_dim; ++d)
        for (Index e = 0; e < key_dim; ++e)
          score += double(in.state(b, i, d)) * double(attention.general.weight(d, e)) * double(in.keys(b, j, e));
      break;
    case LuongScore::concat:
      for (Index u = 0; u < 7; ++u) {
        double sum = 0;
        for (Index d = 0; d < query_dim; ++d)
          sum += double(attention.concat.query.weight(u, d)) * double(in.state(b, i, d));
        for (Index d = 0; d < key_dim; ++d) sum += double(attention.concat.key.weight(u, d)) * double(in.keys(b, j, d));
        score += double(attention.concat.score.weight(0, u)) * std::tanh(sum);
      }
  }
  return score;
}

}  // namespace

TEMPLATE_TEST_CASE("LuongAttention matches the paper's three scores", "[attention]", float, double) {
  const LuongScore score = GENERATE(LuongScore::dot, LuongScore::general, LuongScore::concat);
  const Index key_dim = score == LuongScore::dot ? 6 : 9;
  const auto attention = layer<TestType>(score, 6, key_dim);
  const Source<TestType> in(3, 2, 21, 6, key_dim);
  const std::vector<Index> lengths{21, 8, 0};
  const auto read = attention.forward(in.state, attention.project(in.keys), in.values, lengths);
  for (Index b = 0; b < 3; ++b) {
    for (Index i = 0; i < 2; ++i) {
      const Index length = lengths[std::size_t(b)];
      double sum = 0, context = 0;
      for (Index j = 0; j < length; ++j) sum += std::exp(textbook_score(attention, in, b, i, j));
      for (Index j = 0; j < 21; ++j) {
        const double weight = j < length ? std::exp(textbook_score(attention, in, b, i, j)) / sum : 0;
        CHECK(close(read.weights(b, i, j), weight));
        context += weight * double(in.values(b, j, 3));
      }
      CHECK(close(read.context(b, i, 3), context));
    }
  }
}

TEST_CASE("LuongAttention's gradients agree with central differences", "[attention]") {
  const LuongScore score = GENERATE(LuongScore::dot, LuongScore::general, LuongScore::concat);
  const Index key_dim = score == LuongScore::dot ? 3 : 4;
  const std::vector<Index> lengths{4, 2};
  check_gradients(layer<double>(score, 3, key_dim), Source<double>(2, 2, 4, 3, key_dim, 5), key_lengths(lengths));
}

TEMPLATE_TEST_CASE("LuongAttention's bits do not depend on batch, padding or poison", "[attention]", float, double) {
  const LuongScore score = GENERATE(LuongScore::dot, LuongScore::general, LuongScore::concat);
  const Index key_dim = score == LuongScore::dot ? 18 : 9;
  check_sample_bits<LuongAttention<TestType>, TestType>(layer<TestType>(score, 18, key_dim), 18, key_dim);
  check_poison<LuongAttention<TestType>, TestType>(layer<TestType>(score, 18, key_dim), 18, key_dim);
}

TEMPLATE_TEST_CASE("LuongAttention takes every kind of mask", "[attention]", float, double) {
  const auto score = GENERATE(LuongScore::dot, LuongScore::general, LuongScore::concat);
  check_masks<LuongAttention<TestType>, TestType>(layer<TestType>(score, 9, 9), 9, 9);
}

TEST_CASE("LuongAttention::forward_into writes what forward returns for a single step", "[attention]") {
  const LuongScore score = GENERATE(LuongScore::dot, LuongScore::general, LuongScore::concat);
  const auto attention = layer<float>(score, 6, 6);
  const Source<float> in(3, 1, 11, 6, 6);
  const Tensor<float, 2> state = in.state.chip(0, 1);
  const auto memory = attention.project(in.keys);
  const auto wanted = attention.forward(state, memory, in.values);
  Tensor<float, 3> context(3, 1, 5), weights(3, 1, 11);
  Workspace workspace(attention.workspace_bytes(3));
  Serial serial;
  attention.forward_into({context, weights}, in.state, memory, in.values, {}, workspace, serial);
  CHECK(same_tensor(Tensor<float, 2>(context.chip(0, 1)), wanted.context));
  CHECK(same_tensor(Tensor<float, 2>(weights.chip(0, 1)), wanted.weights));
}

TEST_CASE("LuongAttention counts the parameters of its score only", "[attention]") {
  CHECK(parameter_count(layer<float>(LuongScore::dot, 6, 6)) == 0);
  CHECK(parameter_count(layer<float>(LuongScore::general, 6, 9)) == 54);
  CHECK(parameter_count(layer<float>(LuongScore::concat, 6, 9)) == 7 * 6 + 7 * 9 + 7);
}

TEST_CASE("LuongAttention refuses sizes that do not fit its score", "[attention]") {
  Rng rng;
  CHECK(
      mentions(error_of([&] { LuongAttention<float>({.score = LuongScore::dot, .query_dim = 3, .key_dim = 4}, rng); }),
               {"query_dim is 3", "key_dim 4", "equal"}));
  CHECK(mentions(
      error_of([&] { LuongAttention<float>({.score = LuongScore::concat, .query_dim = 3, .key_dim = 4}, rng); }),
      {"units 0"}));
  const auto attention = layer<float>(LuongScore::general, 3, 4);
  const Source<float> in(2, 1, 6, 3, 4);
  CHECK(
      mentions(error_of([&] { attention.forward(in.state, in.keys, in.values); }), {"state has shape (2, 1, 3)", "4"}));
}
