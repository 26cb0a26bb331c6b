#include <heed/nn/luong_decoder.hpp>

#include "nn/gradient_testing.hpp"
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
  heed_test::check_decoder_gradients(decoder, 5, 5);
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
