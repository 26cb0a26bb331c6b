// Rows A and B of the bad-input catalogue that scaled dot-product attention can meet: the message names the argument,
// what came and what was wanted, and nothing is written.

#include <heed/attention/scaled_dot_product.hpp>

#include <limits>

#include "attention/attention_testing.hpp"

using namespace heed;
using namespace heed_test;

namespace {

using Tensor4 = Tensor<float, 4>;

std::string refusal(const Tensor4& q, const Tensor4& k, const Tensor4& v, const AttentionOptions<float>& options = {}) {
  return error_of([&] { attend(q, k, v, options); });
}
Tensor4 ones(Index a, Index b, Index c, Index d) {
  Tensor4 x(a, b, c, d);
  x.setConstant(1);
  return x;
}

/// One attend_into call with a given output view over `memory`, which must keep its canary values.
std::string output_refusal(const View<float, 4>& output, std::vector<float>& memory, const Tensor4& input) {
  Workspace workspace(1 << 20);
  Serial serial;
  const std::vector<float> before = memory;
  const std::string text = error_of(
      [&] { attend_into(AttentionOutputs<float>{.output = output}, input, input, input, {}, workspace, serial); });
  CHECK(memory == before);
  return text;
}

}  // namespace

TEST_CASE("tensors that do not fit each other are refused by name, with both numbers", "[attention]") {
  const Tensor4 q = ones(2, 6, 3, 64);
  CHECK(mentions(refusal(q, ones(2, 6, 5, 63), ones(2, 6, 5, 8)),
                 {"attend", "key has head_dim 63", "wanted 64", "query"}));
  CHECK(mentions(refusal(q, ones(2, 6, 5, 64), ones(2, 6, 4, 8)), {"value has length 4", "wanted 5", "key"}));
  CHECK(mentions(refusal(q, ones(3, 6, 5, 64), ones(3, 6, 5, 8)), {"key has batch 3", "wanted 2"}));
  CHECK(mentions(refusal(q, ones(2, 6, 5, 64), ones(1, 6, 5, 8)), {"value has batch 1", "wanted 2"}));
  CHECK(mentions(refusal(q, ones(2, 6, 5, 64), ones(2, 3, 5, 8)), {"value has heads 3", "wanted 6"}));
  CHECK(mentions(refusal(q, ones(2, 4, 5, 64), ones(2, 4, 5, 8)), {"query has 6 heads", "key 4", "multiple"}));
  CHECK(mentions(refusal(q, ones(2, 0, 5, 64), ones(2, 0, 5, 8)), {"query has 6 heads", "key 0"}));
  CHECK(mentions(refusal(ones(2, 6, 3, 0), ones(2, 6, 5, 0), ones(2, 6, 5, 8)), {"head_dim 0"}));
}

TEST_CASE("impossible views are refused before any element is touched", "[attention]") {
  float number = 1;
  const View<const float, 4> good(&number, {1, 1, 1, 1});
  const auto refused = [&](const View<const float, 4>& query) { return error_of([&] { attend(query, good, good); }); };
  constexpr Index huge = std::numeric_limits<Index>::max();
  CHECK(mentions(refused({nullptr, {1, 1, 1, 1}}), {"query is a null pointer"}));
  CHECK(mentions(refused({&number, {1, 1, -1, 1}, {1, 1, 1, 1}}), {"query", "negative"}));
  CHECK(mentions(refused({&number, {1, huge, huge, 1}, {0, 0, 0, 0}}), {"query", "63 bits"}));
  CHECK(mentions(refused({&number, {0, huge, huge, 1}, {0, 0, 0, 0}}), {"query", "63 bits"}));
  CHECK(mentions(refused({&number, {1, 1, 3, 1}, {0, 0, huge / 2, 1}}), {"query", "63 bits"}));
  CHECK(mentions(refused({reinterpret_cast<const float*>(reinterpret_cast<const char*>(&number) + 1), {1, 1, 1, 1}}),
                 {"query is not aligned"}));
  const Tensor4 none(1, 1, 0, 1);
  CHECK(error_of([&] { attend(View<const float, 4>(nullptr, {1, 1, 0, 1}), good, good); }).empty());
}

TEST_CASE("outputs that do not fit are refused and keep their memory", "[attention]") {
  const Tensor4 input = ones(1, 2, 3, 4);
  std::vector<float> memory(100, 42.f);
  float* const at = memory.data();
  CHECK(mentions(output_refusal({at, {1, 2, 3, 5}}, memory, input),
                 {"output has shape (1, 2, 3, 5)", "wanted (1, 2, 3, 4)"}));
  CHECK(mentions(output_refusal({at, {1, 2, 3, 4}, {0, 0, 4, 1}}, memory, input), {"output has strides", "share"}));
  CHECK(mentions(output_refusal({at + 50, {1, 2, 3, 4}, {24, -12, 4, 1}}, memory, input), {"output has strides"}));
  CHECK(mentions(output_refusal({at, {1, 2, 3, 4}, {1, 1, 2, 6}}, memory, input), {"output", "row-major"}));
}

TEST_CASE("a stride that is never taken may be 0 on an output too", "[attention]") {
  const Tensor4 input = ones(1, 2, 3, 4);
  Tensor4 memory = zeros<float, 4>({1, 2, 3, 4});
  Workspace workspace(1 << 20);
  Serial serial;
  attend_into(AttentionOutputs<float>{.output = {memory.data(), {1, 2, 3, 4}, {0, 12, 4, 1}}}, input, input, input, {},
              workspace, serial);
  CHECK(close_tensor(memory, in_double(input)));
}

TEST_CASE("an output that overlaps an input is refused and the input keeps its numbers", "[attention]") {
  Tensor4 input = ones(1, 2, 3, 4);
  Workspace workspace(1 << 20);
  Serial serial;
  const std::string text = error_of([&] {
    attend_into(AttentionOutputs<float>{.output = View<float, 4>(input)}, input, input, input, {}, workspace, serial);
  });
  CHECK(mentions(text, {"attend_into", "output overlaps query"}));
  CHECK(close_tensor(input, in_double(ones(1, 2, 3, 4))));
  Workspace small(64);
  Tensor4 output(1, 2, 3, 4);
  CHECK(mentions(
      error_of([&] { attend_into(AttentionOutputs<float>{.output = output}, input, input, input, {}, small, serial); }),
      {"workspace has 64 free bytes", "wanted"}));
}

TEST_CASE("masks and biases that do not fit are refused by name and index", "[attention]") {
  const Tensor4 q = ones(2, 4, 3, 8), k = ones(2, 2, 5, 8);
  Tensor<bool, 2> mask(5, 3);
  const Tensor<float, 2> bias(3, 4);
  const std::vector<Index> negative{5, -1}, long_one{6, 5}, few{5};
  CHECK(mentions(refusal(q, k, k, {.mask = boolean_mask(mask)}), {"boolean_mask", "(1, 1, 5, 3)", "(2, 4, 3, 5)"}));
  CHECK(mentions(refusal(q, k, k, {.bias = bias}), {"bias", "(1, 1, 3, 4)", "(2, 4, 3, 5)"}));
  CHECK(mentions(refusal(q, k, k, {.mask = key_lengths(negative)}), {"key_lengths[1] is -1", "0 to 5"}));
  CHECK(mentions(refusal(q, k, k, {.mask = key_lengths(long_one)}), {"key_lengths[0] is 6", "0 to 5"}));
  CHECK(mentions(refusal(q, k, k, {.mask = key_lengths(few)}), {"key_lengths has 1 entries", "wanted 2"}));
  CHECK(mentions(refusal(q, k, k, {.mask = query_lengths(long_one)}), {"query_lengths[0] is 6", "0 to 3"}));
  CHECK(mentions(refusal(q, k, k, {.mask = causal()}), {"causal()", "query_length 3", "key_length 5", "corner"}));
  CHECK(mentions(error_of([] { window(-2, 0); }), {"window", "-2", "at least -1"}));
}

TEST_CASE("numbers out of range are refused", "[attention]") {
  const Tensor4 q = ones(1, 1, 2, 3);
  for (const float scale : {not_a_number<float>, infinite<float>}) {
    CHECK(mentions(refusal(q, q, q, {.scale = scale}), {"scale is", "finite"}));
  }
  for (const double p : {-0.1, 1.1, not_a_number<double>}) {
    CHECK(mentions(refusal(q, q, q, {.dropout = {.probability = p, .rng = Rng{}}}), {"dropout.probability", "0 to 1"}));
  }
  CHECK(mentions(refusal(q, q, q, {.dropout = {.probability = 0.5}}), {"dropout.rng is not given"}));
  CHECK(mentions(error_of([&] { scaled_dot_product_attention(q, q, q, {.return_weights = true}); }),
                 {"scaled_dot_product_attention", "return_weights", "attend"}));
}

TEST_CASE("boolean masks take any non-zero byte as true", "[attention]") {
  const Tensor4 q = ones(1, 1, 1, 2);
  const Tensor4 k = random_tensor<float, 4>({1, 1, 3, 2}, 4);
  Tensor<bool, 2> truth(1, 3);
  truth.setValues({{true, false, true}});
  Tensor<std::uint8_t, 2> bytes(1, 3);
  bytes.setValues({{2, 0, 255}});
  CHECK(same_tensor(scaled_dot_product_attention(q, k, k, {.mask = boolean_mask(bytes)}),
                    scaled_dot_product_attention(q, k, k, {.mask = boolean_mask(truth)})));
}
