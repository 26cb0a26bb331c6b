#include <heed/models/step_decoder.hpp>

#include "models/search_testing.hpp"
#include "support/catch.hpp"

using namespace heed_test;

TEST_CASE("a decoder is known by what it offers", "[models]") {
  struct Blind {
    Index vocab_size() const { return 1; }
    Index rows() const { return 1; }
    void reorder(std::span<const Index>) {}
    heed::MatrixView<double> step(std::span<const Index>) { return {}; }
  };
  struct Finder : Blind {
    std::vector<Index> step_argmax(std::span<const Index>, std::span<const Index>) { return {}; }
  };
  STATIC_REQUIRE(heed::StepDecoder<Blind>);
  STATIC_REQUIRE_FALSE(heed::StepDecoder<int>);
  STATIC_REQUIRE_FALSE(heed::ArgmaxDecoder<Blind>);
  STATIC_REQUIRE(heed::ArgmaxDecoder<Finder>);
  STATIC_REQUIRE_FALSE(heed::AttendingDecoder<Blind>);
  STATIC_REQUIRE(heed::AttendingDecoder<TableDecoder>);
}

TEST_CASE("attention is a row of weights, or the mean of the last layer's heads", "[models]") {
  heed::Tensor<float, 2> weights(2, 3);
  weights.setValues({{0.1f, 0.2f, 0.7f}, {0.5f, 0.25f, 0.25f}});
  CHECK(heed::detail::attention_at(weights, 1, 0) == 0.5);
  std::vector<heed::Tensor<float, 4>> layers(2, heed::Tensor<float, 4>(2, 2, 1, 3));
  layers[0].setConstant(9);
  layers[1].setZero();
  layers[1](1, 0, 0, 2) = 0.5f;
  layers[1](1, 1, 0, 2) = 0.25f;
  CHECK(heed::detail::attention_at(layers, 1, 2) == 0.375);
}
