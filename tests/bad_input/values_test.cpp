// The bad-input catalogue, part B: numbers, masks and options of attention. Rows that other layers hold are in their
// tests, under the same numbers.

#include <cmath>
#include <cstdint>

#include <heed/nn/embedding.hpp>

#include "bad_input/refusal.hpp"

using namespace heed;
using namespace heed_test;

namespace {

using Tensor4 = Tensor<float, 4>;

/// One head of self-attention in which query i sees the keys j <= i.
struct Numbers {
  Tensor4 query = random_tensor<float, 4>({1, 1, 5, 3}, 1), key = random_tensor<float, 4>({1, 1, 5, 3}, 2),
          value = random_tensor<float, 4>({1, 1, 5, 3}, 3);
  Options options{.mask = causal(), .return_weights = true, .return_logsumexp = true};
  AttentionResult<float> attend() const { return heed::attend(query, key, value, options); }
};

bool row_is_nan(const Tensor4& x, Index row) {
  for (Index d = 0; d < x.dimension(3); ++d)
    if (!std::isnan(x(0, 0, row, d))) return false;
  return true;
}
bool row_is_same(const Tensor4& a, const Tensor4& b, Index row) {
  for (Index d = 0; d < a.dimension(3); ++d)
    if (!same_bits(a(0, 0, row, d), b(0, 0, row, d))) return false;
  return true;
}

/// Exactly the rows from `first` on are NaN, the others have the bits of `clean`.
void check_spoilt_from(Index first, const AttentionResult<float>& found, const AttentionResult<float>& clean) {
  for (Index i = 0; i < 5; ++i) {
    CHECK(row_is_nan(found.output, i) == (i >= first));
    if (i < first) CHECK(row_is_same(found.output, clean.output, i));
  }
}

void check_empty_row(const AttentionResult<float>& found, Index row) {
  for (Index d = 0; d < found.output.dimension(3); ++d) CHECK(found.output(0, 0, row, d) == 0);
  for (Index j = 0; j < found.weights.dimension(3); ++j) CHECK(found.weights(0, 0, row, j) == 0);
  CHECK(found.logsumexp(0, 0, row) == -infinite<float>);
}

double weight_sum(const AttentionResult<float>& found, Index row) {
  double sum = 0;
  for (Index j = 0; j < found.weights.dimension(3); ++j) sum += double(found.weights(0, 0, row, j));
  return sum;
}

}  // namespace

TEST_CASE("B1: NaN in a key makes exactly the rows that see it NaN", "[bad_input]") {
  Numbers in;
  const auto clean = in.attend();
  in.key(0, 0, 3, 1) = not_a_number<float>;
  check_spoilt_from(3, in.attend(), clean);
}

TEST_CASE("B2: NaN in a masked key or value has no effect", "[bad_input]") {
  Numbers in;
  const std::vector<Index> lengths{3};
  in.options.mask = key_lengths(lengths);
  const auto clean = in.attend();
  in.key.chip(4, 2).setConstant(not_a_number<float>);
  in.value.chip(3, 2).setConstant(not_a_number<float>);
  const auto found = in.attend();
  CHECK(same_tensor(found.output, clean.output));
  CHECK(same_tensor(found.weights, clean.weights));
  CHECK(same_tensor(found.logsumexp, clean.logsumexp));
}

TEST_CASE("B3: a score of +inf makes its row NaN, and no other", "[bad_input]") {
  Numbers in;
  Tensor<float, 2> bias(5, 5);
  bias.setZero();
  in.options.bias = bias;
  const auto clean = in.attend();
  bias(4, 1) = infinite<float>;
  check_spoilt_from(4, in.attend(), clean);
}

TEST_CASE("B4: a score of -inf weighs exactly 0", "[bad_input]") {
  Numbers in;
  Tensor<float, 2> bias(5, 5);
  bias.setZero();
  bias(4, 1) = -infinite<float>;
  in.options.bias = bias;
  const auto found = in.attend();
  CHECK(found.weights(0, 0, 4, 1) == 0);
  CHECK(weight_sum(found, 4) == Approx(1));
}

TEST_CASE("B5: a row that is masked whole gives zeros, logsumexp -inf and zero gradients", "[bad_input]") {
  Numbers in;
  in.options.mask = causal_offset(-2);
  const auto found = in.attend();
  check_empty_row(found, 0);
  check_empty_row(found, 1);
  CHECK(weight_sum(found, 2) == Approx(1));
  const auto grad = attend_backward(ones(1, 1, 5, 3), in.query, in.key, in.value, found, in.options);
  for (Index d = 0; d < 3; ++d) {
    CHECK(grad.query(0, 0, 1, d) == 0);
    CHECK(grad.value(0, 0, 4, d) == 0);
    CHECK(std::isfinite(grad.query(0, 0, 2, d)));
  }
}

TEST_CASE("B6: rows that are all masked give zeros and zero gradients", "[bad_input]") {
  Numbers in;
  Tensor<bool, 2> nothing(5, 5);
  nothing.setConstant(false);
  in.options.mask = boolean_mask(nothing);
  const auto found = in.attend();
  for (Index i = 0; i < 5; ++i) check_empty_row(found, i);
  const auto grad = attend_backward(ones(1, 1, 5, 3), in.query, in.key, in.value, found, in.options);
  for (const Tensor4* one : {&grad.query, &grad.key, &grad.value})
    CHECK(same_tensor(*one, zeros<float, 4>({1, 1, 5, 3})));
}

TEST_CASE("B7: scores of 1e4 are right to the tolerance", "[bad_input]") {
  Numbers in;
  in.query = in.query * 100.F;
  in.key = in.key * 100.F;
  in.options.mask = Mask{};
  Textbook wanted;
  wanted.scale = 1 / std::sqrt(3.0);
  wanted.forward(in_double(in.query), in_double(in.key), in_double(in.value));
  const auto found = in.attend();
  for (Index i = 0; i < 5; ++i) {
    CHECK(weight_sum(found, i) == Approx(1));
    CHECK(found.logsumexp(0, 0, i) == Approx(wanted.logsumexp(0, 0, i)));
  }
  for (const float x : flat(found.output)) CHECK(std::isfinite(x));
}

TEST_CASE("B8: scores that differ by 200 leave far weights 0 and a sum of 1", "[bad_input]") {
  Numbers in;
  Tensor<float, 2> bias(5, 5);
  for (Index i = 0; i < 5; ++i)
    for (Index j = 0; j < 5; ++j) bias(i, j) = static_cast<float>(-200 * j);
  in.options.bias = bias;
  const auto found = in.attend();
  for (Index i = 0; i < 5; ++i) {
    CHECK(found.weights(0, 0, i, 0) == 1);
    CHECK(weight_sum(found, i) == 1);
    CHECK(std::isfinite(found.logsumexp(0, 0, i)));
  }
}

TEST_CASE("B9: a mask of another shape is refused, and both shapes are named", "[bad_input]") {
  const Tensor4 q = ones(2, 4, 3, 8), k = ones(2, 2, 5, 8);
  const Tensor<bool, 2> turned(5, 3);
  CHECK(mentions(refusal(q, k, k, {.mask = boolean_mask(turned)}),
                 {"boolean_mask has shape (1, 1, 5, 3), wanted (2, 4, 3, 5)"}));
  const Tensor<Index, 2> ids(2, 4);
  CHECK(mentions(refusal(q, k, k, {.mask = segment_ids(ids)}),
                 {"segment_ids of queries has shape (2, 4), wanted (2, 3)"}));
}

TEST_CASE("B10: axes of 1 repeat a mask", "[bad_input]") {
  const auto q = random_tensor<float, 4>({2, 4, 3, 8}, 1), k = random_tensor<float, 4>({2, 4, 5, 8}, 2);
  Tensor<bool, 4> narrow(2, 1, 1, 5), whole(2, 4, 3, 5);
  for (Index b = 0; b < 2; ++b)
    for (Index j = 0; j < 5; ++j) narrow(b, 0, 0, j) = j != b + 1;
  for (Index h = 0; h < 4; ++h)
    for (Index i = 0; i < 3; ++i) whole.chip(h, 1).chip(i, 1) = narrow.chip(0, 1).chip(0, 1);
  CHECK(same_tensor(attend(q, k, k, {.mask = boolean_mask(narrow)}).output,
                    attend(q, k, k, {.mask = boolean_mask(whole)}).output));
}

TEST_CASE("B11: any byte but 0 is true in a boolean mask", "[bad_input]") {
  const Tensor4 q = ones(1, 1, 1, 2), k = random_tensor<float, 4>({1, 1, 3, 2}, 4);
  Tensor<bool, 2> truth(1, 3);
  truth.setValues({{true, false, true}});
  Tensor<std::uint8_t, 2> bytes(1, 3);
  bytes.setValues({{2, 0, 255}});
  CHECK(same_tensor(attend(q, k, k, {.mask = boolean_mask(bytes)}).output,
                    attend(q, k, k, {.mask = boolean_mask(truth)}).output));
}

TEST_CASE("B12: NaN or +inf in an additive mask reaches its row only", "[bad_input]") {
  for (const float wrong : {not_a_number<float>, infinite<float>}) {
    Numbers in;
    Tensor<float, 2> bias(5, 5);
    bias.setZero();
    in.options.bias = bias;
    const auto clean = in.attend();
    bias(4, 2) = wrong;
    bias(2, 4) = wrong;  // masked by the causal corner
    check_spoilt_from(4, in.attend(), clean);
  }
}

TEST_CASE("B13: lengths below 0, above the keys, too few or too many are refused with their index", "[bad_input]") {
  const Tensor4 q = ones(2, 4, 3, 8), k = ones(2, 2, 5, 8);
  const std::vector<Index> negative{5, -1}, long_one{6, 5}, few{5}, many{1, 1, 1};
  CHECK(mentions(refusal(q, k, k, {.mask = key_lengths(negative)}), {"key_lengths[1] is -1, wanted 0 to 5"}));
  CHECK(mentions(refusal(q, k, k, {.mask = key_lengths(long_one)}), {"key_lengths[0] is 6, wanted 0 to 5"}));
  CHECK(mentions(refusal(q, k, k, {.mask = query_lengths(long_one)}), {"query_lengths[0] is 6, wanted 0 to 3"}));
  CHECK(mentions(refusal(q, k, k, {.mask = key_lengths(few)}), {"key_lengths has 1 entries, wanted 2"}));
  CHECK(mentions(refusal(q, k, k, {.mask = causal_offset(many)}), {"causal_offset has 3 entries, wanted 2"}));
}

TEST_CASE("B14: a length of 0 empties its sample and no other", "[bad_input]") {
  const auto q = random_tensor<float, 4>({2, 1, 3, 4}, 1), k = random_tensor<float, 4>({2, 1, 5, 4}, 2);
  const std::vector<Index> lengths{0, 5};
  const auto found = attend(q, k, k, {.mask = key_lengths(lengths), .return_weights = true, .return_logsumexp = true});
  for (Index i = 0; i < 3; ++i) check_empty_row(found, i);
  CHECK(found.output(1, 0, 2, 3) == attend(q, k, k).output(1, 0, 2, 3));
}

TEST_CASE("B15: causal with unequal lengths needs a named corner; rows without keys are empty", "[bad_input]") {
  const Tensor4 q = ones(1, 1, 5, 4), k = ones(1, 1, 3, 4);
  CHECK(mentions(refusal(q, k, k, {.mask = causal()}), {"plain causal()", "query_length 5", "key_length 3", "corner"}));
  const auto found =
      attend(q, k, k, {.mask = causal(Corner::bottom_right), .return_weights = true, .return_logsumexp = true});
  check_empty_row(found, 0);
  check_empty_row(found, 1);
  CHECK(found.output(0, 0, 2, 0) == 1);
  CHECK(found.weights(0, 0, 2, 1) == 0);
}

TEST_CASE("B16: causal and an explicit mask both apply", "[bad_input]") {
  Numbers in;
  Tensor<bool, 2> mask(5, 5);
  mask.setConstant(true);
  mask(4, 0) = false;
  in.options.mask = causal() & boolean_mask(mask);
  const auto found = in.attend();
  for (Index i = 0; i < 5; ++i)
    for (Index j = 0; j < 5; ++j) CHECK((found.weights(0, 0, i, j) > 0) == (j <= i && !(i == 4 && j == 0)));
}

TEST_CASE("B17: a scale or softcap that is NaN or infinite is refused", "[bad_input]") {
  const Tensor4 q = ones(1, 1, 2, 3);
  CHECK(mentions(refusal(q, q, q, {.scale = not_a_number<float>}), {"scale is nan, wanted a finite number"}));
  CHECK(mentions(refusal(q, q, q, {.scale = -infinite<float>}), {"scale is -inf, wanted a finite number"}));
  CHECK(mentions(refusal(q, q, q, {.softcap = infinite<float>}), {"softcap is inf, wanted a finite number"}));
}

TEST_CASE("B18: a scale of 0 or below is plain arithmetic", "[bad_input]") {
  Numbers in;
  in.options = {.scale = 0.F, .return_weights = true};
  const auto even = in.attend();
  for (const float w : flat(even.weights)) CHECK(w == 0.2F);
  in.options.scale = -0.7F;
  const auto found = in.attend();
  in.key = in.key * -1.F;
  in.options.scale = 0.7F;
  CHECK(close_tensor(found.weights, in_double(in.attend().weights)));
}

TEST_CASE("B19: a dropout probability outside 0 to 1 is refused, 1 gives zeros", "[bad_input]") {
  const Tensor4 q = ones(1, 1, 2, 3);
  const auto with = [](double p) { return Options{.dropout = {.probability = p, .rng = Rng{}}}; };
  CHECK(mentions(refusal(q, q, q, with(-0.25)), {"dropout.probability is -0.25", "wanted 0 to 1"}));
  CHECK(mentions(refusal(q, q, q, with(1.5)), {"dropout.probability is 1.5", "wanted 0 to 1"}));
  CHECK(mentions(refusal(q, q, q, with(not_a_number<double>)), {"dropout.probability is nan", "wanted 0 to 1"}));
  CHECK(same_tensor(attend(q, q, q, with(1)).output, zeros<float, 4>({1, 1, 2, 3})));
}

TEST_CASE("B20: dropout without a generator is refused", "[bad_input]") {
  const Tensor4 q = ones(1, 1, 2, 3);
  CHECK(mentions(refusal(q, q, q, {.dropout = {.probability = 0.5}}),
                 {"dropout.rng is not given", "wanted an Rng", "0.5"}));
}

TEST_CASE("B21: a bias that is too short is refused", "[bad_input]") {
  const Tensor4 q = ones(2, 4, 3, 8), k = ones(2, 2, 5, 8);
  const Tensor<float, 2> bias(3, 4);
  const Tensor<float, 1> slopes(3), sink(5);
  CHECK(mentions(refusal(q, k, k, {.bias = bias}), {"bias has shape (1, 1, 3, 4), wanted (2, 4, 3, 5)"}));
  CHECK(mentions(refusal(q, k, k, {.alibi_slopes = slopes}), {"alibi_slopes has shape (3), wanted (4)"}));
  CHECK(mentions(refusal(q, k, k, {.sink = sink}), {"sink has shape (5), wanted (4)"}));
}

TEST_CASE("B22: an id outside its table is refused with its position, nothing written", "[bad_input]") {
  Rng rng{1, 0};
  const Embedding<float> table({.vocab_size = 5, .embedding_dim = 3}, rng);
  Tensor<Index, 2> ids(2, 3);
  ids.setConstant(1);
  Tensor<float, 2> rows(6, 3);
  rows.setConstant(7);
  for (const Index wrong : {Index{5}, Index{-1}, PTRDIFF_MAX}) {
    ids(1, 2) = wrong;
    CHECK(error_of([&] { table.forward(ids); }) ==
          "Embedding: ids(1, 2) is " + std::to_string(wrong) + ", wanted 0 to 4");
    CHECK(mentions(error_of([&] { table.forward_into(flat(ids), as_matrix(rows)); }), {std::to_string(wrong).c_str()}));
    for (const float x : flat(rows)) CHECK(x == 7);
  }
}

TEST_CASE("B24: scores of -0 count as +0", "[bad_input]") {
  Numbers in;
  in.query.setConstant(0);
  const auto plus = in.attend();
  in.query.setConstant(-0.F);
  const auto minus = in.attend();
  CHECK(same_tensor(minus.output, plus.output));
  CHECK(same_tensor(minus.weights, plus.weights));
}

TEST_CASE("an option that asks for more than the output is refused by the call that returns no more", "[bad_input]") {
  const Tensor4 q = ones(1, 1, 2, 3);
  CHECK(mentions(error_of([&] { scaled_dot_product_attention(q, q, q, {.return_weights = true}); }),
                 {"scaled_dot_product_attention", "return_weights", "attend"}));
}

TEST_CASE("B25: a backward without the forward's state, or with another shape's, is refused", "[bad_input]") {
  const Numbers in;
  const auto forward = in.attend();
  const Tensor4 d_output = ones(1, 1, 5, 3);
  const auto refused = [&](const Tensor4& d, const AttentionResult<float>& state) {
    return error_of([&] { attend_backward(d, in.query, in.key, in.value, state, in.options); });
  };
  CHECK(mentions(refused(d_output, attend(in.query, in.key, in.value, {.mask = causal()})),
                 {"forward.logsumexp has shape (0, 0, 0), wanted (1, 1, 5)", "return_logsumexp"}));
  CHECK(mentions(refused(d_output, {}), {"forward.output has shape (0, 0, 0, 0), wanted (1, 1, 5, 3)"}));
  CHECK(mentions(refused(ones(1, 1, 5, 4), forward), {"d_output has shape (1, 1, 5, 4), wanted (1, 1, 5, 3)"}));
}
