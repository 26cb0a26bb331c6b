#include <heed/attention/attention_call.hpp>

#include "attention/attention_testing.hpp"

using namespace heed;
using namespace heed_test;

TEST_CASE("a call knows its shape, its default scale and which key head serves a query head", "[attention]") {
  const Tensor<double, 4> query(2, 6, 3, 16), key(2, 3, 5, 16), value(2, 3, 5, 7);
  const AttentionCall<double> call("attend", query, key, value, {});
  CHECK(call.shape.query() == Extents<4>{2, 6, 3, 16});
  CHECK(call.shape.key() == Extents<4>{2, 3, 5, 16});
  CHECK(call.shape.value() == Extents<4>{2, 3, 5, 7});
  CHECK(call.shape.output() == Extents<4>{2, 6, 3, 7});
  CHECK(call.shape.weights() == Extents<4>{2, 6, 3, 5});
  CHECK(call.shape.logsumexp() == Extents<3>{2, 6, 3});
  CHECK(call.scale == 0.25);
  CHECK(call.kv_head(0) == 0);
  CHECK(call.kv_head(1) == 0);
  CHECK(call.kv_head(5) == 2);
  CHECK(AttentionCall<double>("attend", query, key, value, {.scale = -2.0}).scale == -2);
}

TEST_CASE("the function that was called leads every message", "[attention]") {
  const Tensor<float, 4> query(1, 2, 3, 4), key(1, 2, 5, 3);
  CHECK(mentions(error_of([&] { AttentionCall<float>("my_function", query, key, key, {}); }),
                 {"my_function: key has head_dim 3, wanted 4"}));
  CHECK(mentions(error_of([&] { AttentionCall<float>("my_function", key, key, key, {.scale = infinite<float>}); }),
                 {"my_function: scale"}));
}
