#include <heed/nn/bahdanau_decoder.hpp>

#include <limits>

#include "nn/gradient_testing.hpp"
#include "support/catch.hpp"
#include "support/tolerance.hpp"

namespace {

using heed::GruReset;
using heed::Index;
using heed::Tensor;
using heed_test::random_tensor;
using heed_test::sample_of;
using heed_test::step_of;

template <class T>
heed::BahdanauDecoder<T> make_decoder(GruReset reset) {
  heed::Rng rng{11, 0};
  return {{.embedding_dim = 3, .hidden_dim = 5, .memory_dim = 4, .attention_units = 6, .reset = reset}, rng};
}

/// values with NaN behind every length: no result may see it.
template <class T>
Tensor<T, 3> poisoned(Tensor<T, 3> values, const std::vector<Index>& lengths) {
  for (Index b = 0; b < values.dimension(0); ++b) {
    for (Index j = lengths[static_cast<std::size_t>(b)]; j < values.dimension(1); ++j) {
      for (Index i = 0; i < values.dimension(2); ++i) values(b, j, i) = std::numeric_limits<T>::quiet_NaN();
    }
  }
  return values;
}

}  // namespace

TEST_CASE("the decoder's gradients equal central differences", "[nn]") {
  const auto reset = GENERATE(GruReset::after, GruReset::before);
  auto decoder = make_decoder<double>(reset);
  heed_test::check_decoder_gradients(decoder, 5, 4);
  CHECK(heed::parameter_count(decoder) == (6 * 5 + 6) + (6 * 4 + 6) + 6 + 15 * 7 + 15 * 5 + 30);
}

TEST_CASE("a step gives the bits of the whole pass, for rows of any source", "[nn]") {
  const auto reset = GENERATE(GruReset::after, GruReset::before);
  const auto decoder = make_decoder<float>(reset);
  const auto embedding = random_tensor<float>(1, 2, 6, 3);
  const std::vector<Index> lengths = {7, 3};
  const auto memory = decoder.remember(poisoned(random_tensor<float>(2, 2, 7, 4), lengths), lengths);
  const auto state = random_tensor<float>(3, 2, 5);
  const auto whole = decoder.forward(embedding, memory, state);
  const std::vector<Index> sources = {1, 0, 1};
  Tensor<float, 2> rows(3, 5), context(3, 4), weights(3, 7), now(3, 3);
  for (Index r = 0; r < 3; ++r) {
    for (Index u = 0; u < 5; ++u) rows(r, u) = state(sources[static_cast<std::size_t>(r)], u);
  }
  for (Index t = 0; t < 6; ++t) {
    for (Index r = 0; r < 3; ++r) {
      for (Index i = 0; i < 3; ++i) now(r, i) = embedding(sources[static_cast<std::size_t>(r)], t, i);
    }
    decoder.step(memory, sources, now, rows, context, weights);
    for (Index r = 0; r < 3; ++r) {
      const Index b = sources[static_cast<std::size_t>(r)];
      for (Index u = 0; u < 5; ++u) CHECK(heed_test::same_bits(rows(r, u), whole.hidden(b, t, u)));
      for (Index u = 0; u < 4; ++u) CHECK(heed_test::same_bits(context(r, u), whole.context(b, t, u)));
      for (Index j = 0; j < 7; ++j) CHECK(heed_test::same_bits(weights(r, j), whole.weights(b, t, j)));
    }
  }
}

TEST_CASE("a sample's results and gradients depend on no other sample, no padding and no thread", "[nn]") {
  const auto decoder = make_decoder<float>(GruReset::after);
  const Index batch = 19, steps = 4, source = 6;
  std::vector<Index> lengths;
  for (Index b = 0; b < batch; ++b) lengths.push_back(1 + b % source);
  const auto values = poisoned(random_tensor<float>(2, batch, source, 4), lengths);
  const auto embedding = random_tensor<float>(1, batch, steps, 3);
  const auto state = random_tensor<float>(3, batch, 5);
  const auto d_hidden = random_tensor<float>(4, batch, steps, 5);
  const auto run = [&](heed::ExecutorRef executor) {
    const auto memory = decoder.remember(values, lengths, executor);
    heed::BahdanauDecoder<float>::Cache cache;
    auto grad = heed::zeros_like(decoder);
    const auto result = decoder.forward(embedding, memory, state, &cache, executor);
    auto d = decoder.backward(d_hidden, nullptr, memory, result, cache, grad, executor);
    return std::tuple(result, d, grad);
  };
  heed::Serial serial;
  heed::ThreadPool pool(3);
  const auto one = run(serial), three = run(pool);
  heed::for_each_parameter(
      [](std::string_view, heed::Role, const auto& a, const auto& b) {
        CHECK(heed_test::all_same_bits(heed::flat(a), heed::flat(b)));
        for (const float v : heed::flat(a)) CHECK(std::isfinite(v));
      },
      std::get<2>(one), std::get<2>(three));
  CHECK(heed_test::all_same_bits(heed::flat(std::get<1>(one).embedding), heed::flat(std::get<1>(three).embedding)));
  for (Index b = 0; b < batch; ++b) {
    const std::vector<Index> length = {lengths[static_cast<std::size_t>(b)]};
    const auto memory = decoder.remember(sample_of(values, b, source + 3, 0.f), length, serial);
    Tensor<float, 2> first(1, 5);
    for (Index u = 0; u < 5; ++u) first(0, u) = state(b, u);
    heed::BahdanauDecoder<float>::Cache cache;
    auto grad = heed::zeros_like(decoder);
    const auto result = decoder.forward(sample_of(embedding, b, steps, 0.f), memory, first, &cache, serial);
    const auto d = decoder.backward(sample_of(d_hidden, b, steps, 0.f), nullptr, memory, result, cache, grad, serial);
    CHECK(heed_test::all_same_bits(heed::flat(result.hidden), heed::flat(sample_of(std::get<0>(one).hidden, b, steps, 0.f))));
    CHECK(heed_test::all_same_bits(heed::flat(d.embedding), heed::flat(sample_of(std::get<1>(one).embedding, b, steps, 0.f))));
    for (Index i = 0; i < 4; ++i) CHECK(heed_test::same_bits(d.values(0, 0, i), std::get<1>(one).values(b, 0, i)));
  }
}

TEST_CASE("the decoder refuses what does not fit, by name", "[nn]") {
  const auto decoder = make_decoder<float>(GruReset::after);
  const std::vector<Index> lengths = {2, 2}, wrong = {2, 8};
  const auto memory = decoder.remember(random_tensor<float>(2, 2, 7, 4), lengths);
  CHECK_THROWS_WITH(decoder.remember(random_tensor<float>(2, 2, 7, 4), wrong),
                    "BahdanauDecoder::remember: lengths[1] is 8, wanted 0 to 7");
  CHECK_THROWS_WITH(decoder.forward(random_tensor<float>(1, 2, 3, 4), memory, random_tensor<float>(1, 2, 5)),
                    "BahdanauDecoder::forward: embedding has shape (2, 3, 4), wanted (2, any, 3)");
  CHECK_THROWS_WITH(decoder.forward(random_tensor<float>(1, 2, 3, 3), memory, random_tensor<float>(1, 2, 6)),
                    "BahdanauDecoder::forward: state has shape (2, 6), wanted (2, 5)");
  Tensor<float, 2> embedding(1, 3), state(1, 5), context(1, 4), weights(1, 7);
  const std::vector<Index> sources = {2};
  CHECK_THROWS_WITH(decoder.step(memory, sources, embedding, state, context, weights),
                    "BahdanauDecoder::step: sources[0] is 2, wanted 0 to 1");
}
