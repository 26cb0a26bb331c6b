#include <heed/attention/scaled_dot_product.hpp>

#include <cmath>
#include <memory>

#include "attention/attention_testing.hpp"

using namespace heed;
using namespace heed_test;

namespace {

/// Numbers of one call; heads are grouped, value_dim differs from head_dim.
template <class T>
struct Numbers {
  Tensor<T, 4> query, key, value;
  Numbers(Index batch, Index query_length, Index key_length, Index head_dim = 9, Index value_dim = 6)
      : query(random_tensor<T, 4>({batch, 4, query_length, head_dim}, 1, 2)),
        key(random_tensor<T, 4>({batch, 2, key_length, head_dim}, 2, 2)),
        value(random_tensor<T, 4>({batch, 2, key_length, value_dim}, 3)) {}
};

template <class T>
void check_against(Textbook book, const Numbers<T>& in, const AttentionOptions<T>& options) {
  book.scale = options.scale ? double(*options.scale) : 1 / std::sqrt(double(in.query.dimension(3)));
  book.forward(in_double(in.query), in_double(in.key), in_double(in.value));
  AttentionOptions<T> all = options;
  all.return_weights = all.return_logsumexp = true;
  const AttentionResult<T> found = attend(in.query, in.key, in.value, all);
  CHECK(close_tensor(found.output, book.output));
  CHECK(close_tensor(found.weights, book.weights));
  CHECK(close_tensor(found.logsumexp, book.logsumexp));
  CHECK(same_tensor(scaled_dot_product_attention(in.query, in.key, in.value, options), found.output));
}

}  // namespace

TEMPLATE_TEST_CASE("scaled_dot_product_attention matches the textbook over a grid of lengths and widths", "[attention]",
                   float, double) {
  const Index query_length = GENERATE(1, 7, 64, 129), key_length = GENERATE(1, 63, 129, 200);
  const Index head_dim = GENERATE(1, 33);
  check_against<TestType>({}, Numbers<TestType>(2, query_length, key_length, head_dim, 7), {});
}

TEMPLATE_TEST_CASE("every kind of mask matches its definition", "[attention]", float, double) {
  const Index query_length = GENERATE(5, 70, 140), key_length = GENERATE(5, 130);
  const Numbers<TestType> in(2, query_length, key_length);
  const std::vector<Index> keys{key_length, key_length / 2}, queries{query_length - 2, query_length};
  const std::vector<Index> offsets{-2, 3};
  Tensor<bool, 3> pattern(4, query_length, 1);
  for (Index h = 0; h < 4; ++h)
    for (Index i = 0; i < query_length; ++i) pattern(h, i, 0) = (3 * h + i) % 4 != 0;
  Tensor<bool, 2> dots(query_length, key_length);
  for (Index i = 0; i < query_length; ++i)
    for (Index j = 0; j < key_length; ++j) dots(i, j) = (i * j + i) % 3 != 1;
  Textbook book;
  AttentionOptions<TestType> options;
  SECTION("top left") {
    options.mask = causal(Corner::top_left);
    book.allowed = [](Index, Index, Index i, Index j) { return j <= i; };
  }
  SECTION("bottom right, with lengths") {
    options.mask = causal(Corner::bottom_right) & key_lengths(keys) & query_lengths(queries);
    book.allowed = [=](Index b, Index, Index i, Index j) {
      const auto s = std::size_t(b);
      return j <= i + keys[s] - queries[s] && j < keys[s] && i < queries[s];
    };
  }
  SECTION("offset") {
    options.mask = causal_offset(-3);
    book.allowed = [](Index, Index, Index i, Index j) { return j <= i - 3; };
  }
  SECTION("an offset per sample with a window") {
    options.mask = window(4, 2) & causal_offset(offsets);
    book.allowed = [=](Index b, Index, Index i, Index j) {
      const Index p = i + offsets[std::size_t(b)];
      return j <= p && j >= p - 4;
    };
  }
  SECTION("a window to both sides, and lengths") {
    options.mask = window(3, 1) & key_lengths(keys);
    book.allowed = [=](Index b, Index, Index i, Index j) {
      return j <= i + 1 && j >= i - 3 && j < keys[std::size_t(b)];
    };
  }
  SECTION("boolean, rank 3, keys broadcast") {
    options.mask = boolean_mask(pattern);
    book.allowed = [&](Index, Index h, Index i, Index) { return pattern(h, i, 0); };
  }
  SECTION("boolean, rank 2, and causal") {
    options.mask = boolean_mask(dots) & causal(Corner::top_left);
    book.allowed = [&](Index, Index, Index i, Index j) { return dots(i, j) && j <= i; };
  }
  check_against(book, in, options);
}

TEMPLATE_TEST_CASE("scale, bias and dropout enter where they are defined to", "[attention]", float, double) {
  const Numbers<TestType> in(2, 9, 131);
  Textbook book;
  AttentionOptions<TestType> options;
  SECTION("scale 0 and negative scale are plain arithmetic") { options.scale = GENERATE(0.0, -0.75); }
  SECTION("a bias broadcasts and -inf in it masks") {
    Tensor<TestType, 3> bias = random_tensor<TestType, 3>({4, 1, 131}, 5, 3);
    for (Index j = 0; j < 131; j += 3) bias(1, 0, j) = -infinite<TestType>;
    for (Index j = 0; j < 131; ++j) bias(2, 0, j) = -infinite<TestType>;
    options.bias = bias;
    book.bias = [=](Index, Index h, Index, Index j) { return double(bias(h, 0, j)); };
    book.allowed = [=](Index, Index h, Index, Index j) { return bias(h, 0, j) != -infinite<TestType>; };
    check_against(book, in, options);
    return;
  }
  SECTION("dropout reads its bit at the coordinate") {
    const Rng rng{11, 3};
    options.dropout = {.probability = 0.25, .rng = rng};
    book.kept = [rng](Index b, Index h, Index i, Index j) {
      return CoordinateBits(rng)(b, h, i, j) < probability_threshold(0.25) ? 0 : 1 / 0.75;
    };
  }
  SECTION("dropout of everything gives zeros") {
    options.dropout = {.probability = 1, .rng = Rng{}};
    book.kept = [](Index, Index, Index, Index) { return 0; };
  }
  check_against(book, in, options);
}

TEMPLATE_TEST_CASE("any strides give the bits of a contiguous copy", "[attention]", float, double) {
  const Numbers<TestType> in(2, 70, 131);
  const auto wanted = scaled_dot_product_attention(in.query, in.key, in.value);
  SECTION("column-major tensors") {
    const Eigen::Tensor<TestType, 4, Eigen::ColMajor, Index> query =
        in.query.swap_layout().shuffle(Eigen::array<int, 4>{3, 2, 1, 0});
    CHECK(same_tensor(scaled_dot_product_attention(query, in.key, in.value), wanted));
  }
  SECTION("(batch, length, heads, dim) memory, for the output too") {
    const Tensor<TestType, 4> moved = in.query.shuffle(Eigen::array<int, 4>{0, 2, 1, 3});
    const View<const TestType, 4> query(moved.data(), extents(in.query), {70 * 4 * 9, 9, 4 * 9, 1});
    CHECK(same_tensor(scaled_dot_product_attention(query, in.key, in.value), wanted));
    Tensor<TestType, 4> output(2, 70, 4, 6);
    AttentionOutputs<TestType> outputs{.output = View<TestType, 4>(output.data(), {2, 4, 70, 6}, {70 * 24, 6, 24, 1})};
    Serial serial;
    Workspace workspace(workspace_bytes<TestType>(attention_shape<TestType>(in.query, in.key, in.value), {}, 1));
    attend_into(outputs, in.query, in.key, in.value, {}, workspace, serial);
    CHECK(same_tensor(Tensor<TestType, 4>(output.shuffle(Eigen::array<int, 4>{0, 2, 1, 3})), wanted));
  }
  SECTION("negative and zero strides") {
    Tensor<TestType, 4> reversed = in.value.reverse(Eigen::array<bool, 4>{false, false, true, true});
    const View<const TestType, 4> value(reversed.data() + 131 * 6 - 1, extents(in.value),
                                        {2 * 131 * 6, 131 * 6, -6, -1});
    CHECK(same_tensor(scaled_dot_product_attention(in.query, in.key, value), wanted));
    const View<const TestType, 4> one_key(in.key.data(), extents(in.key), {0, 0, 0, 1});
    Tensor<TestType, 4> repeated(extents(in.key));
    for (Index r = 0; r < 2 * 2 * 131; ++r) std::copy_n(in.key.data(), 9, repeated.data() + 9 * r);
    CHECK(same_tensor(scaled_dot_product_attention(in.query, one_key, in.value),
                      scaled_dot_product_attention(in.query, repeated, in.value)));
  }
}

TEMPLATE_TEST_CASE("a sample's bits depend neither on the batch, nor the padding, nor the threads", "[attention]",
                   float, double) {
  const Index length = GENERATE(1, 63, 64, 65, 129);
  const Numbers<TestType> in(3, 200, 200);
  const std::vector<Index> lengths{length, 200, 17};
  AttentionOptions<TestType> options{
      .mask = causal(Corner::bottom_right) & key_lengths(lengths) & query_lengths(lengths),
      .dropout = {.probability = 0.1, .rng = Rng{5, 6}},
      .return_weights = true,
      .return_logsumexp = true};
  const auto padded = attend(in.query, in.key, in.value, options);
  const auto alone = attend(
      corner(in.query, {1, 4, length, 9}), corner(in.key, {1, 2, length, 9}), corner(in.value, {1, 2, length, 6}),
      {.mask = causal(), .dropout = options.dropout, .return_weights = true, .return_logsumexp = true});
  CHECK(same_tensor(corner(padded.output, {1, 4, length, 6}), alone.output));
  CHECK(same_tensor(corner(padded.weights, {1, 4, length, length}), alone.weights));
  CHECK(same_tensor(corner(padded.logsumexp, {1, 4, length}), alone.logsumexp));
  for (const Index threads : {1, 2, 3, 8}) {
    ThreadPool pool(threads);
    const auto again = attend(in.query, in.key, in.value, options, pool);
    CHECK(same_tensor(again.output, padded.output));
    CHECK(same_tensor(again.weights, padded.weights));
  }
}

TEMPLATE_TEST_CASE("masked data never reaches a result, attended NaN reaches its rows only", "[attention]", float,
                   double) {
  const Numbers<TestType> clean(1, 70, 140);
  Tensor<bool, 2> dots(70, 140);
  for (Index i = 0; i < 70; ++i)
    for (Index j = 0; j < 140; ++j) dots(i, j) = j != 20 && j < 137;
  const AttentionOptions<TestType> options{
      .mask = boolean_mask(dots) & causal_offset(60), .return_weights = true, .return_logsumexp = true};
  const auto wanted = attend(clean.query, clean.key, clean.value, options);
  Numbers<TestType> poisoned = clean;
  const TestType poison = GENERATE(not_a_number<TestType>, infinite<TestType>, -infinite<TestType>);
  for (const Index j : {20, 137, 139}) {
    poisoned.key.chip(0, 0).chip(1, 0).chip(j, 0).setConstant(poison);
    poisoned.value.chip(0, 0).chip(0, 0).chip(j, 0).setConstant(poison);
  }
  SECTION("masked everywhere: the same bits") {
    const auto found = attend(poisoned.query, poisoned.key, poisoned.value, options);
    CHECK(same_tensor(found.output, wanted.output));
    CHECK(same_tensor(found.weights, wanted.weights));
    CHECK(same_tensor(found.logsumexp, wanted.logsumexp));
  }
  SECTION("seen by the queries from 40 on") {
    poisoned.value(0, 0, 100, 2) = not_a_number<TestType>;
    const auto found = attend(poisoned.query, poisoned.key, poisoned.value, options);
    for (Index i = 0; i < 70; ++i) {
      CHECK(std::isnan(found.output(0, 1, i, 2)) == (i >= 40));
      CHECK(same_bits(found.output(0, 1, i, 1), wanted.output(0, 1, i, 1)));
      CHECK(same_bits(found.output(0, 3, i, 2), wanted.output(0, 3, i, 2)));
    }
  }
  SECTION("a NaN key that the queries from 40 on see") {
    poisoned.key(0, 1, 100, 0) = not_a_number<TestType>;
    const auto found = attend(poisoned.query, poisoned.key, poisoned.value, options);
    for (Index i = 0; i < 70; ++i) {
      CHECK(std::isnan(found.output(0, 2, i, 0)) == (i >= 40));
      CHECK(std::isnan(found.weights(0, 2, i, 3)) == (i >= 40));
      CHECK(found.weights(0, 2, i, 20) == 0);
      CHECK(same_bits(found.output(0, 0, i, 0), wanted.output(0, 0, i, 0)));
    }
  }
}

TEMPLATE_TEST_CASE("empty rows and empty extents have the results that are promised", "[attention]", float, double) {
  SECTION("fully masked rows: zeros and -inf, decided by the mask") {
    const Numbers<TestType> in(2, 5, 7);
    const std::vector<Index> lengths{0, 7};
    const auto found = attend(in.query, in.key, in.value,
                              {.mask = key_lengths(lengths), .return_weights = true, .return_logsumexp = true});
    CHECK(found.output(0, 3, 4, 5) == 0);
    CHECK(found.weights(0, 3, 4, 6) == 0);
    CHECK(found.logsumexp(0, 3, 4) == -infinite<TestType>);
    CHECK(found.output(1, 3, 4, 5) != 0);
  }
  SECTION("visible scores that are all -inf are not an empty row: NaN, as the formula says") {
    Numbers<TestType> in(1, 1, 3, 1);
    in.query.setConstant(1);
    in.key.setConstant(-infinite<TestType>);
    CHECK(std::isnan(scaled_dot_product_attention(in.query, in.key, in.value)(0, 0, 0, 0)));
  }
  SECTION("key_length 0 gives zeros") {
    const Numbers<TestType> in(2, 5, 0);
    const auto found = attend(in.query, in.key, in.value, {.return_weights = true, .return_logsumexp = true});
    CHECK(close_tensor(found.output, zeros<double, 4>({2, 4, 5, 6})));
    CHECK(found.weights.size() == 0);
    CHECK(found.logsumexp(1, 3, 4) == -infinite<TestType>);
  }
  SECTION("no queries, samples, heads or values: an empty result") {
    CHECK(extents(scaled_dot_product_attention(Numbers<TestType>(2, 0, 3).query, Numbers<TestType>(2, 0, 3).key,
                                               Numbers<TestType>(2, 0, 3).value)) == Extents<4>{2, 4, 0, 6});
    const Numbers<TestType> none(0, 2, 3);
    CHECK(extents(scaled_dot_product_attention(none.query, none.key, none.value)) == Extents<4>{0, 4, 2, 6});
    const Numbers<TestType> thin(1, 2, 3, 4, 0);
    const auto found = attend(thin.query, thin.key, thin.value, {.return_logsumexp = true});
    CHECK(extents(found.output) == Extents<4>{1, 4, 2, 0});
    CHECK(std::isfinite(found.logsumexp(0, 3, 1)));
    const Tensor<TestType, 4> headless(2, 0, 3, 4);
    CHECK(extents(scaled_dot_product_attention(headless, headless, headless)) == Extents<4>{2, 0, 3, 4});
  }
  SECTION("large scores neither overflow nor lose the sum") {
    Numbers<TestType> in(1, 2, 3, 1);
    in.query.setConstant(100);
    for (Index j = 0; j < 3; ++j) in.key(0, 0, j, 0) = in.key(0, 1, j, 0) = static_cast<TestType>(100 - 2 * j);
    const auto found = attend(in.query, in.key, in.value, {.return_weights = true});
    CHECK(found.weights(0, 0, 0, 0) == 1);
    CHECK(found.weights(0, 0, 0, 2) < 1e-100);
  }
}
