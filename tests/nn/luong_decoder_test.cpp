#include <heed/nn/luong_decoder.hpp>

#include <heed/nn/gradient_check.hpp>
#include "nn/layer_testing.hpp"
#include "support/catch.hpp"
#include "support/tolerance.hpp"

namespace {

using heed::Index;
using heed::LuongScore;
using heed_test::random_tensor;
using Decoder = heed::LuongDecoder<double>;

Decoder make(LuongScore score) {
  heed::Rng rng{4, 0};
  return {{.embedding_dim = 3, .hidden_dim = 5, .memory_dim = 5, .score = score, .attention_units = 6}, rng};
}

}  // namespace

TEST_CASE("the Luong decoder's gradients equal central differences for every score", "[nn]") {
  Decoder decoder = make(GENERATE(LuongScore::dot, LuongScore::general, LuongScore::concat));
  auto embedding = random_tensor<double>(1, 3, 4, 3);
  auto values = random_tensor<double>(2, 3, 5, 5);
  auto state = random_tensor<double>(3, 3, 5);
  const auto d_hidden = random_tensor<double>(4, 3, 4, 5), d_context = random_tensor<double>(5, 3, 4, 5);
  const std::vector<Index> lengths = {5, 1, 3};
  const auto memory = decoder.remember(values, lengths);
  Decoder::Cache cache;
  const auto result = decoder.forward(embedding, memory, state, &cache);
  Decoder grad = heed::zeros_like(decoder);
  auto d = decoder.backward(d_hidden, &d_context, memory, result, cache, grad);
  const auto loss = [&] {
    const auto again = decoder.forward(embedding, decoder.remember(values, lengths), state);
    return heed_test::weighted_total(again.hidden, d_hidden) + heed_test::weighted_total(again.context, d_context);
  };
  const auto found = heed::check_gradients(decoder, grad, loss, std::tie(embedding, d.embedding), std::tie(values, d.values),
                                           std::tie(state, d.initial_state));
  INFO(found.worst_name << " " << found.worst_element);
  CHECK(found.worst_error < 1e-8);
}

TEST_CASE("weights sum to one over the true source and are zero behind it", "[nn]") {
  const Decoder decoder = make(LuongScore::general);
  const std::vector<Index> lengths = {2, 4};
  const auto memory = decoder.remember(random_tensor<double>(2, 2, 4, 5), lengths);
  const auto result = decoder.forward(random_tensor<double>(1, 2, 3, 3), memory, random_tensor<double>(3, 2, 5));
  for (Index t = 0; t < 3; ++t) {
    CHECK(result.weights(0, t, 0) + result.weights(0, t, 1) == Approx(1).epsilon(1e-14));
    CHECK(result.weights(0, t, 2) == 0);
    CHECK(result.weights(0, t, 3) == 0);
  }
}

TEST_CASE("the Luong decoder refuses what does not fit, by name", "[nn]") {
  const Decoder decoder = make(LuongScore::general);
  const auto memory = decoder.remember(random_tensor<double>(2, 2, 4, 5), {});
  CHECK_THROWS_WITH(decoder.forward(random_tensor<double>(1, 2, 3, 4), memory, random_tensor<double>(3, 2, 5)),
                    "LuongDecoder::forward: embedding has shape (2, 3, 4), wanted (2, any, 3)");
  CHECK_THROWS_WITH(decoder.forward(random_tensor<double>(1, 2, 3, 3), memory, random_tensor<double>(3, 2, 4)),
                    "LuongDecoder::forward: state has shape (2, 4), wanted (2, 5)");
}
