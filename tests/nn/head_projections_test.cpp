#include <heed/nn/head_projections.hpp>

#include "nn/layer_testing.hpp"
#include "support/catch.hpp"
#include "support/tolerance.hpp"

using namespace heed;
using namespace heed_test;

TEST_CASE("each projection is its rows of the shared weight, or its own weight", "[nn]") {
  const Index value_in = GENERATE(5, 3);  // shared or not
  Rng rng{1, 0};
  Serial serial;
  HeadProjections<double> in({.query_in = 5, .key_in = 5, .value_in = value_in, .query_out = 8, .key_out = 4, .value_out = 6},
                             Bias::yes, rng);
  in.in_proj_bias = random_tensor<double>(2, 18);
  CHECK((in.in_proj_weight.size() > 0) == (value_in == 5));
  const auto packed = in.pack();
  Index first = 0;
  for (const HeadInput which : {HeadInput::query, HeadInput::key, HeadInput::value}) {
    const auto x = random_tensor<double>(3, 2, 3, in.in(which));
    Tensor<double, 3> y(2, 4, in.out(which)), same(2, 4, in.out(which));  // a step of room behind
    in.forward_into(which, x, y, serial);
    in.forward_into(which, x, same, serial, &packed);
    const auto weight = in.weight(which);
    for (Index b = 0; b < 2; ++b)
      for (Index t = 0; t < 3; ++t)
        for (Index o = 0; o < in.out(which); ++o) {
          double wanted = in.in_proj_bias(first + o);
          for (Index i = 0; i < in.in(which); ++i) wanted += x(b, t, i) * weight(o, i);
          CHECK(y(b, t, o) == Approx(wanted));
          CHECK(same_bits(y(b, t, o), same(b, t, o)));
        }
    first += in.out(which);
  }
}

TEST_CASE("rows to which nothing flows back count as zeros where a number is not finite", "[nn]") {
  auto x = random_tensor<double>(1, 3, 2), d_y = random_tensor<double>(2, 3, 4);
  for (Index o = 0; o < 4; ++o) d_y(1, o) = 0;
  Tensor<double, 2> storage;
  CHECK(detail::read_rows<double>(as_matrix(std::as_const(x)), as_matrix(std::as_const(d_y)), storage).data == x.data());
  x(1, 0) = std::nan("");
  const auto rows = detail::read_rows<double>(as_matrix(std::as_const(x)), as_matrix(std::as_const(d_y)), storage);
  CHECK(rows(1, 0) == 0);
  CHECK(rows(2, 1) == x(2, 1));
  d_y(1, 3) = 1;
  CHECK(std::isnan(detail::read_rows<double>(as_matrix(std::as_const(x)), as_matrix(std::as_const(d_y)), storage)(1, 0)));
}
