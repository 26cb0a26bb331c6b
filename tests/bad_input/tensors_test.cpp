// The bad-input catalogue, part A: shapes, strides and types that attention can meet. Rows that other layers hold are
// in their tests, under the same numbers.

#include <cstdint>
#include <limits>

#include "bad_input/refusal.hpp"

using namespace heed;
using namespace heed_test;

namespace {

using Tensor4 = Tensor<float, 4>;
constexpr Index huge = std::numeric_limits<Index>::max();
const Tensor4 query = ones(2, 6, 3, 64);  // what most calls here are right about
float number = 1;
const View<const float, 4> single(&number, {1, 1, 1, 1});

}  // namespace

TEST_CASE("A1: head sizes of query and key that differ are refused", "[bad_input]") {
  CHECK(mentions(refusal(query, ones(2, 6, 5, 63), ones(2, 6, 5, 8)), {"key has head_dim 63, wanted 64 as in query"}));
}

TEST_CASE("A2: lengths of key and value that differ are refused", "[bad_input]") {
  CHECK(mentions(refusal(query, ones(2, 6, 5, 64), ones(2, 6, 4, 8)), {"value has length 4, wanted 5 as in key"}));
}

TEST_CASE("A3: batches that differ are refused, 1 is not broadcast", "[bad_input]") {
  CHECK(mentions(refusal(query, ones(3, 6, 5, 64), ones(3, 6, 5, 8)), {"key has batch 3, wanted 2 as in query"}));
  CHECK(mentions(refusal(query, ones(2, 6, 5, 64), ones(1, 6, 5, 8)), {"value has batch 1, wanted 2 as in query"}));
}

TEST_CASE("A4: query heads that are no multiple of key heads are refused", "[bad_input]") {
  CHECK(mentions(refusal(query, ones(2, 4, 5, 64), ones(2, 4, 5, 8)), {"query has 6 heads and key 4", "multiple"}));
  CHECK(mentions(refusal(query, ones(2, 6, 5, 64), ones(2, 3, 5, 8)), {"value has heads 3, wanted 6 as in key"}));
}

TEST_CASE("A5: no key heads for some query heads are refused", "[bad_input]") {
  CHECK(mentions(refusal(query, ones(2, 0, 5, 64), ones(2, 0, 5, 8)), {"query has 6 heads and key 0", "multiple"}));
}

TEST_CASE("A6: a head size of 0 is refused", "[bad_input]") {
  CHECK(mentions(refusal(ones(2, 6, 3, 0), ones(2, 6, 5, 0), ones(2, 6, 5, 8)),
                 {"query has head_dim 0, wanted at least 1"}));
}

TEST_CASE("A7: no queries give an empty output", "[bad_input]") {
  CHECK(extents(attend(ones(2, 6, 0, 4), ones(2, 6, 5, 4), ones(2, 6, 5, 8)).output) == Extents<4>{2, 6, 0, 8});
}

TEST_CASE("A8: no samples or no heads give an empty output", "[bad_input]") {
  CHECK(extents(attend(ones(0, 6, 3, 4), ones(0, 6, 5, 4), ones(0, 6, 5, 8)).output) == Extents<4>{0, 6, 3, 8});
  CHECK(extents(attend(ones(2, 0, 3, 4), ones(2, 0, 5, 4), ones(2, 0, 5, 8)).output) == Extents<4>{2, 0, 3, 8});
}

TEST_CASE("A9: no keys give zeros and a logsumexp of -inf", "[bad_input]") {
  const auto found = attend(ones(2, 6, 3, 4), ones(2, 6, 0, 4), ones(2, 6, 0, 8), {.return_logsumexp = true});
  CHECK(same_tensor(found.output, zeros<float, 4>({2, 6, 3, 8})));
  for (const float x : flat(found.logsumexp)) CHECK(x == -infinite<float>);
}

TEST_CASE("A10: a negative extent is refused", "[bad_input]") {
  const View<const float, 4> wrong(&number, {1, 1, -1, 1}, {1, 1, 1, 1});
  CHECK(mentions(refusal(wrong, single, single), {"query has shape (1, 1, -1, 1), wanted no negative extent"}));
  CHECK(mentions(refusal(single, wrong, single), {"key has shape (1, 1, -1, 1)"}));
  CHECK(mentions(refusal(single, single, wrong), {"value has shape (1, 1, -1, 1)"}));
}

TEST_CASE("A11: extents whose product leaves 63 bits are refused, of inputs and of results", "[bad_input]") {
  const View<const float, 4> wrong(&number, {1, huge, huge, 1}, {0, 0, 0, 0});
  CHECK(mentions(refusal(wrong, single, single), {"query", "9223372036854775807 x 9223372036854775807", "63 bits"}));
  const auto repeated = [](Index length, Index width) {  // each input fits, by strides of 0; the results do not
    return View<const float, 4>(&number, {Index{1} << 31, 1, length, width}, {0, 0, 0, 0});
  };
  const Index many = Index{1} << 20;
  CHECK(mentions(refusal(repeated(many, 1), repeated(1, 1), repeated(1, many)),
                 {"output: 9007199254740992 x 1048576", "63 bits"}));
  CHECK(mentions(refusal(repeated(many, 1), repeated(many, 1), repeated(many, 1)),
                 {"weights: 9007199254740992 x 1048576", "63 bits"}));
}

TEST_CASE("A12: an extent of 0 hides no overflow", "[bad_input]") {
  const View<const float, 4> wrong(&number, {0, huge, huge, 1}, {0, 0, 0, 0});
  CHECK(mentions(refusal(wrong, single, single), {"query", "9223372036854775807 x 9223372036854775807", "63 bits"}));
}

TEST_CASE("A13: a null pointer with a shape is refused", "[bad_input]") {
  const View<const float, 4> null(nullptr, {1, 1, 1, 1});
  CHECK(mentions(refusal(null, single, single), {"query is a null pointer with shape (1, 1, 1, 1), wanted memory"}));
  CHECK(mentions(refusal(single, null, single), {"key is a null pointer"}));
  CHECK(mentions(refusal(single, single, null), {"value is a null pointer"}));
  CHECK(mentions(refusal(single, single, single, {.bias = null}), {"bias is a null pointer"}));
  const View<const std::uint8_t, 4> no_bytes(nullptr, {1, 1, 1, 1});
  CHECK(
      mentions(refusal(single, single, single, {.mask = boolean_mask(no_bytes)}), {"boolean_mask is a null pointer"}));
  const View<const Index, 2> no_ids(nullptr, {1, 1});
  CHECK(mentions(refusal(single, single, single, {.mask = segment_ids(no_ids)}), {"segment_ids of queries is a null"}));
  const Canaries canaries;
  CHECK(mentions(output_refusal({nullptr, {1, 1, 1, 1}}, canaries, ones(1, 1, 1, 1)), {"output is a null pointer"}));
}

TEST_CASE("A14: a null pointer without elements is accepted", "[bad_input]") {
  const View<const float, 4> none(nullptr, {1, 1, 0, 1});
  CHECK(extents(attend(none, single, single).output) == Extents<4>{1, 1, 0, 1});
  CHECK(attend(single, none, none).output(0, 0, 0, 0) == 0);
}

TEST_CASE("A15: a stride of 0 repeats an input", "[bad_input]") {
  const auto q = random_tensor<float, 4>({2, 3, 4, 5}, 1), k = random_tensor<float, 4>({1, 1, 6, 5}, 2);
  Tensor4 repeated(2, 3, 6, 5);
  for (Index b = 0; b < 2; ++b)
    for (Index h = 0; h < 3; ++h) repeated.chip(b, 0).chip(h, 0) = k.chip(0, 0).chip(0, 0);
  const View<const float, 4> view(k.data(), {2, 3, 6, 5}, {0, 0, 5, 1});
  CHECK(same_tensor(attend(q, view, view).output, attend(q, repeated, repeated).output));
  const View<const float, 4> one_number(&number, {2, 3, 4, 5}, {0, 0, 0, 0});
  CHECK(
      same_tensor(attend(one_number, repeated, repeated).output, attend(ones(2, 3, 4, 5), repeated, repeated).output));
}

TEST_CASE("A16: a stride of 0 on an output axis longer than 1 is refused", "[bad_input]") {
  Canaries canaries;
  const Tensor4 input = ones(1, 2, 3, 4);
  CHECK(mentions(output_refusal({canaries.memory.data(), {1, 2, 3, 4}, {0, 0, 4, 1}}, canaries, input),
                 {"output has strides (0, 0, 4, 1) for shape (1, 2, 3, 4)", "no two elements share memory"}));
  CHECK(output_refusal({canaries.memory.data(), {1, 0, 3, 4}, {0, 0, 0, 0}}, canaries, ones(1, 0, 3, 4)).empty());
  Workspace workspace(1 << 20);
  Serial serial;  // a stride that is never taken may be 0
  attend_into(AttentionOutputs<float>{.output = {canaries.memory.data(), {1, 2, 3, 4}, {0, 12, 4, 1}}}, input, input,
              input, {}, workspace, serial);
  CHECK(canaries.memory[23] == 1);
  CHECK(canaries.memory[24] == Canaries::value);
}

TEST_CASE("A17: negative strides are read as they say, and refused on outputs", "[bad_input]") {
  const auto q = random_tensor<float, 4>({2, 3, 4, 5}, 1), k = random_tensor<float, 4>({2, 3, 6, 5}, 2);
  const View<const float, 4> backwards(k.data() + k.size() - 1, {2, 3, 6, 5}, {-90, -30, -5, -1});
  Tensor4 turned(2, 3, 6, 5);
  std::reverse_copy(k.data(), k.data() + k.size(), turned.data());
  CHECK(same_tensor(attend(q, backwards, backwards).output, attend(q, turned, turned).output));
  Canaries canaries;
  CHECK(
      mentions(output_refusal({canaries.memory.data() + 50, {1, 2, 3, 4}, {24, -12, 4, 1}}, canaries, ones(1, 2, 3, 4)),
               {"output has strides (24, -12, 4, 1)", "wanted positive strides"}));
}

TEST_CASE("A18: a last stride other than 1 gives the bits of a contiguous copy", "[bad_input]") {
  const auto q = random_tensor<float, 4>({1, 2, 4, 5}, 1), wide = random_tensor<float, 4>({1, 2, 6, 15}, 2);
  const View<const float, 4> every_third(wide.data(), {1, 2, 6, 5}, {180, 90, 15, 3});
  Tensor4 copy(1, 2, 6, 5);
  for (Index h = 0; h < 2; ++h)
    for (Index j = 0; j < 6; ++j)
      for (Index d = 0; d < 5; ++d) copy(0, h, j, d) = wide(0, h, j, 3 * d);
  CHECK(same_tensor(attend(q, every_third, every_third).output, attend(q, copy, copy).output));
}

TEST_CASE("A19: strides whose offsets leave 63 bits are refused", "[bad_input]") {
  const View<const float, 4> wrong(&number, {1, 1, 3, 1}, {0, 0, huge / 2, 1});
  CHECK(mentions(refusal(wrong, single, single), {"query", "9223372036854775806 x 4", "63 bits"}));
  const View<const float, 4> bias(&number, {1, 1, 1, 3}, {0, 0, 0, PTRDIFF_MIN});
  CHECK(mentions(refusal(single, ones(1, 1, 3, 1), ones(1, 1, 3, 1), {.bias = bias}), {"bias has a stride of -2^63"}));
}

TEST_CASE("A20: an output that overlaps an input is refused, and the input keeps its numbers", "[bad_input]") {
  Tensor4 input = ones(1, 2, 3, 4), bias = ones(1, 2, 3, 3);
  Canaries canaries;
  const auto refused = [&](const View<float, 4>& output, const View4& q, const View4& k, const View4& v) {
    Workspace workspace(1 << 20);
    Serial serial;
    return error_of(
        [&] { attend_into(AttentionOutputs<float>{.output = output}, q, k, v, {.bias = bias}, workspace, serial); });
  };
  const Tensor4 other = ones(1, 2, 3, 4);
  CHECK(
      mentions(refused(input, input, other, other), {"attend_into: output overlaps query, wanted memory of its own"}));
  CHECK(mentions(refused(input, other, input, other), {"output overlaps key"}));
  CHECK(mentions(refused(input, other, other, input), {"output overlaps value"}));
  CHECK(mentions(refused({bias.data() - 6, {1, 2, 3, 4}}, other, other, other), {"output overlaps bias"}));
  CHECK(same_tensor(input, other));
  Workspace workspace(1 << 20);
  Serial serial;
  const AttentionOutputs<float> both{.output = {canaries.memory.data(), {1, 2, 3, 4}},
                                     .weights = {canaries.memory.data() + 23, {1, 2, 3, 3}}};
  CHECK(mentions(error_of([&] { attend_into(both, other, other, other, {}, workspace, serial); }),
                 {"weights overlaps output"}));
  CHECK(canaries.untouched());
}

TEST_CASE("A22: a pointer between two elements is refused", "[bad_input]") {
  alignas(float) char bytes[8] = {};
  const auto* between = reinterpret_cast<const float*>(bytes + 1);
  CHECK(
      mentions(refusal({between, {1, 1, 1, 1}}, single, single), {"query is not aligned to its elements of 4 bytes"}));
  CHECK(mentions(refusal(single, single, single, {.bias = View4(between, {1, 1, 1, 1})}), {"bias is not aligned"}));
}

TEST_CASE("A23: a column-major tensor is read through its strides and refused as an output", "[bad_input]") {
  const auto row = random_tensor<float, 4>({2, 3, 6, 5}, 1);
  Eigen::Tensor<float, 4, Eigen::ColMajor, Index> column(2, 3, 6, 5);
  for (Index b = 0; b < 2; ++b)
    for (Index h = 0; h < 3; ++h)
      for (Index t = 0; t < 6; ++t)
        for (Index d = 0; d < 5; ++d) column(b, h, t, d) = row(b, h, t, d);
  CHECK(same_tensor(attend(column, column, column).output, attend(row, row, row).output));
  Canaries canaries;
  Eigen::TensorMap<Eigen::Tensor<float, 4, Eigen::ColMajor, Index>> output(canaries.memory.data(), 2, 3, 6, 5);
  CHECK(mentions(output_refusal(View<float, 4>(output), canaries, row),
                 {"output has stride 36 on its last axis, wanted 1", "a column-major tensor may be an input only"}));
}

TEST_CASE("A24: tensors of another rank do not compile", "[bad_input]") {
  const auto compiles = [](const auto& q, const auto& k) {
    return requires { attend(q, k, k); };
  };
  CHECK(compiles(Tensor<float, 4>(), Tensor<float, 4>()));
  CHECK_FALSE(compiles(Tensor<float, 3>(), Tensor<float, 3>()));
  CHECK_FALSE(compiles(Tensor<float, 4>(), Tensor<float, 3>()));
  CHECK_FALSE(compiles(Tensor<float, 5>(), Tensor<float, 5>()));
}

TEST_CASE("A25: an output of another shape is refused", "[bad_input]") {
  Canaries canaries;
  float* const at = canaries.memory.data();
  const Tensor4 input = ones(1, 2, 3, 4);
  for (const Extents<4>& shape : {Extents<4>{1, 2, 3, 5}, {1, 2, 2, 4}, {1, 3, 3, 4}, {2, 2, 3, 4}, {0, 2, 3, 4}}) {
    const std::string message = output_refusal({at, shape}, canaries, input);
    CHECK(mentions(message, {"output has shape ", "wanted (1, 2, 3, 4)"}));
    CHECK(message.find(shape_text(shape)) != std::string::npos);
  }
  Workspace workspace(1 << 20);
  Serial serial;
  const AttentionOutputs<float> second{.output = {at, {1, 2, 3, 4}}, .logsumexp = {at + 100, {1, 2, 4}}};
  CHECK(mentions(error_of([&] { attend_into(second, input, input, input, {}, workspace, serial); }),
                 {"logsumexp has shape (1, 2, 4), wanted (1, 2, 3)"}));
  Workspace small(64);
  const AttentionOutputs<float> good{.output = {at, {1, 2, 3, 4}}};
  CHECK(mentions(error_of([&] { attend_into(good, input, input, input, {}, small, serial); }),
                 {"workspace has 64 free bytes, wanted "}));
  CHECK(canaries.untouched());
}

TEST_CASE("A26: tensors of mixed element types do not compile", "[bad_input]") {
  const auto compiles = [](const auto& q, const auto& k) {
    return requires { attend(q, k, k); };
  };
  CHECK(compiles(Tensor<double, 4>(), Tensor<double, 4>()));
  CHECK_FALSE(compiles(Tensor<float, 4>(), Tensor<double, 4>()));
  CHECK_FALSE(compiles(Tensor<double, 4>(), Tensor<float, 4>()));
  CHECK_FALSE(compiles(Tensor<int, 4>(), Tensor<int, 4>()));
}

TEST_CASE("A28: a key axis of 2^31 + 1 elements is counted in 64 bits", "[bad_input]") {
  const Index length = (Index{1} << 31) + 1;
  const auto q = random_tensor<float, 4>({1, 1, 1, 2}, 1), k = random_tensor<float, 4>({1, 1, 3, 2}, 2);
  const View<const float, 4> far(k.data(), {1, 1, length, 2}, {0, 0, 0, 1});  // the same key everywhere
  const std::vector<Index> all{length};
  const auto found = attend(q, far, far,
                            {.mask = causal_offset(length - 1) & window(2, 0) & key_lengths(all),
                             .return_logsumexp = true,
                             .return_row_max = true});
  CHECK(found.output(0, 0, 0, 0) == Approx(k(0, 0, 0, 0)));
  CHECK(found.logsumexp(0, 0, 0) == Approx(double(found.row_max(0, 0, 0)) + std::log(3.0)));
}

TEST_CASE("A29: a window side below -1 is refused", "[bad_input]") {
  CHECK(mentions(error_of([] { window(-2, 0); }), {"window", "left and right are -2 and 0", "wanted at least -1"}));
  CHECK(mentions(error_of([] { window(3, PTRDIFF_MIN); }), {"3 and -9223372036854775808", "at least -1"}));
  Mask by_hand;
  by_hand.window = Window{0, -7};
  CHECK(mentions(refusal(ones(1, 1, 2, 3), ones(1, 1, 2, 3), ones(1, 1, 2, 3), {.mask = by_hand}),
                 {"window is (0, -7)", "at least -1"}));
  const Tensor4 x = ones(1, 1, 2, 3);
  CHECK(same_tensor(attend(x, x, x, {.mask = window(-1, 0)}).output, x));
}
