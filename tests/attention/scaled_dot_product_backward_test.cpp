#include <heed/attention/scaled_dot_product_backward.hpp>

#include "attention/attention_testing.hpp"

using namespace heed;
using namespace heed_test;

namespace {

template <class T>
struct Problem {
  Tensor<T, 4> query, key, value, d_output;
  Problem(Index batch, Index query_length, Index key_length, Index head_dim = 5, Index value_dim = 3)
      : query(random_tensor<T, 4>({batch, 4, query_length, head_dim}, 1, 1.5)),
        key(random_tensor<T, 4>({batch, 2, key_length, head_dim}, 2, 1.5)),
        value(random_tensor<T, 4>({batch, 2, key_length, value_dim}, 3)),
        d_output(random_tensor<T, 4>({batch, 4, query_length, value_dim}, 4)) {}

  AttentionGradients<T> gradients(AttentionOptions<T> options, ExecutorRef executor = default_executor()) const {
    options.return_logsumexp = true;
    return attend_backward(d_output, query, key, value, attend(query, key, value, options, executor), options,
                           executor);
  }
};

template <class T>
AttentionGradients<T> check_against(Textbook book, const Problem<T>& in, const AttentionOptions<T>& options) {
  book.scale = options.scale ? double(*options.scale) : 1 / std::sqrt(double(in.query.dimension(3)));
  const auto q = in_double(in.query), k = in_double(in.key), v = in_double(in.value);
  book.forward(q, k, v);
  book.backward(in_double(in.d_output), q, k, v);
  AttentionGradients<T> found = in.gradients(options);
  CHECK(close_tensor(found.query, book.d_query));
  CHECK(close_tensor(found.key, book.d_key));
  CHECK(close_tensor(found.value, book.d_value));
  if (options.bias) {
    Tensor<double, 4> wanted = zeros<double, 4>(extents(found.bias));
    for (Index b = 0; b < in.query.dimension(0); ++b)
      for (Index h = 0; h < in.query.dimension(1); ++h)
        for (Index i = 0; i < in.query.dimension(2); ++i)
          for (Index j = 0; j < in.key.dimension(2); ++j)
            wanted(b % wanted.dimension(0), h % wanted.dimension(1), i % wanted.dimension(2),
                   j % wanted.dimension(3)) += book.d_scores(b, h, i, j);
    CHECK(close_tensor(found.bias, wanted));
  }
  return found;
}

}  // namespace

TEMPLATE_TEST_CASE("attend_backward matches the textbook over a grid of lengths", "[attention]", float, double) {
  const Index query_length = GENERATE(7, 129), key_length = GENERATE(1, 129);
  const auto found = check_against<TestType>({}, Problem<TestType>(2, query_length, key_length), {});
  CHECK(found.bias.size() == 0);
}

TEMPLATE_TEST_CASE("attend_backward with masks, scale, bias and dropout matches the textbook", "[attention]", float,
                   double) {
  const Problem<TestType> in(2, 140, 131);
  const std::vector<Index> keys{131, 60}, queries{140, 0};
  Textbook book;
  AttentionOptions<TestType> options;
  SECTION("causal, window and lengths") {
    options.mask = causal(Corner::top_left) & window(20, -1) & key_lengths(keys) & query_lengths(queries);
    options.scale = static_cast<TestType>(-0.5);
    book.allowed = [=](Index b, Index, Index i, Index j) {
      return j <= i && j >= i - 20 && j < keys[std::size_t(b)] && i < queries[std::size_t(b)];
    };
  }
  SECTION("a bias of its own for every pair") {
    const auto bias = random_tensor<TestType, 4>({2, 4, 140, 131}, 5);
    options.bias = bias;
    book.bias = [&bias](Index b, Index h, Index i, Index j) { return double(bias(b, h, i, j)); };
    check_against(book, in, options);
    return;
  }
  SECTION("a bias that repeats over samples and queries, with -inf") {
    auto bias = random_tensor<TestType, 3>({4, 1, 131}, 5);
    bias(2, 0, 17) = -infinite<TestType>;
    options.bias = bias;
    book.bias = [&bias](Index, Index h, Index, Index j) { return double(bias(h, 0, j)); };
    book.allowed = [&bias](Index, Index h, Index, Index j) { return bias(h, 0, j) != -infinite<TestType>; };
    check_against(book, in, options);
    return;
  }
  SECTION("dropout takes the bits of the forward") {
    const Rng rng{3, 9};
    options.dropout = {.probability = 0.5, .rng = rng};
    book.kept = [rng](Index b, Index h, Index i, Index j) {
      return CoordinateBits(rng)(b, h, i, j) < probability_threshold(0.5) ? 0.0 : 2.0;
    };
  }
  check_against(book, in, options);
}

TEST_CASE("attend_backward agrees with central differences of the forward", "[attention]") {
  Problem<double> in(1, 3, 5, 2, 2);
  auto bias = random_tensor<double, 2>({3, 5}, 8);
  const AttentionOptions<double> options{
      .mask = causal(Corner::bottom_right), .bias = bias, .dropout = {.probability = 0.3, .rng = Rng{1, 2}}};
  const auto found = in.gradients(options);
  const auto loss = [&] {
    return weighted_sum(scaled_dot_product_attention(in.query, in.key, in.value, options), in.d_output);
  };
  check_central_differences(flat(in.query), flat(found.query), loss);
  check_central_differences(flat(in.key), flat(found.key), loss);
  check_central_differences(flat(in.value), flat(found.value), loss);
  check_central_differences(flat(bias), flat(found.bias), loss);
}

TEMPLATE_TEST_CASE("a sample's gradients keep their bits over batches, padding and threads", "[attention]", float,
                   double) {
  const Index length = GENERATE(1, 65, 129);
  const Problem<TestType> in(2, 200, 200);
  const std::vector<Index> lengths{length, 150};
  const AttentionOptions<TestType> options{.mask = causal(Corner::top_left) & key_lengths(lengths) &
                                                   query_lengths(lengths)};
  const auto padded = in.gradients(options);
  Problem<TestType> alone(1, length, length);
  alone.query = corner(in.query, {1, 4, length, 5});
  alone.key = corner(in.key, {1, 2, length, 5});
  alone.value = corner(in.value, {1, 2, length, 3});
  alone.d_output = corner(in.d_output, {1, 4, length, 3});
  const auto single = alone.gradients({.mask = causal()});
  CHECK(same_tensor(corner(padded.query, {1, 4, length, 5}), single.query));
  CHECK(same_tensor(corner(padded.key, {1, 2, length, 5}), single.key));
  CHECK(same_tensor(corner(padded.value, {1, 2, length, 3}), single.value));
  for (const Index threads : {1, 2, 5}) {
    ThreadPool pool(threads);
    const auto again = in.gradients(options, pool);
    CHECK(same_tensor(again.query, padded.query));
    CHECK(same_tensor(again.key, padded.key));
    CHECK(same_tensor(again.value, padded.value));
  }
}

TEMPLATE_TEST_CASE("poison behind a mask changes no bit of any gradient", "[attention]", float, double) {
  const Problem<TestType> clean(1, 70, 140);
  Tensor<bool, 2> dots(70, 140);
  for (Index i = 0; i < 70; ++i)
    for (Index j = 0; j < 140; ++j) dots(i, j) = j != 20 && j < 137 && i != 30 && (i + j) % 5 != 0;
  const AttentionOptions<TestType> options{.mask = boolean_mask(dots)};
  const auto wanted = clean.gradients(options);
  Problem<TestType> poisoned = clean;
  const TestType poison = GENERATE(not_a_number<TestType>, infinite<TestType>);
  for (const Index j : {20, 137, 139}) {
    poisoned.key.chip(0, 0).chip(1, 0).chip(j, 0).setConstant(poison);
    poisoned.value.chip(0, 0).chip(0, 0).chip(j, 0).setConstant(poison);
  }
  poisoned.query.chip(0, 0).chip(2, 0).chip(30, 0).setConstant(poison);
  const auto found = poisoned.gradients(options);
  CHECK(same_tensor(found.query, wanted.query));
  CHECK(same_tensor(found.key, wanted.key));
  CHECK(same_tensor(found.value, wanted.value));
  SECTION("a NaN upstream reaches the gradients of the keys that its query sees, and no other") {
    poisoned.d_output(0, 1, 40, 1) = not_a_number<TestType>;
    const auto reached = poisoned.gradients(options);
    for (Index j = 0; j < 140; ++j) {
      CHECK(std::isnan(reached.value(0, 0, j, 1)) == dots(40, j));
      CHECK(same_bits(reached.value(0, 0, j, 2), wanted.value(0, 0, j, 2)));
      CHECK(std::isnan(reached.key(0, 0, j, 1)) == dots(40, j));
    }
    CHECK(std::isnan(reached.query(0, 1, 40, 0)));
    CHECK(same_bits(reached.query(0, 1, 41, 0), wanted.query(0, 1, 41, 0)));
  }
}

TEST_CASE("attend_backward passes nothing through empty rows and empty extents", "[attention]") {
  const std::vector<Index> lengths{0};
  const Problem<double> in(1, 4, 5);
  const auto found = in.gradients({.mask = key_lengths(lengths)});
  CHECK(close_tensor(found.query, zeros<double, 4>(extents(in.query))));
  CHECK(close_tensor(found.key, zeros<double, 4>(extents(in.key))));
  CHECK(extents(Problem<double>(2, 0, 5).gradients({}).query) == Extents<4>{2, 4, 0, 5});
  CHECK(close_tensor(Problem<double>(1, 4, 0).gradients({}).query, zeros<double, 4>({1, 4, 4, 5})));
}

TEST_CASE("attend_backward refuses a forward that lacks the logsumexp or has another shape", "[attention]") {
  const Problem<float> in(1, 4, 5);
  const auto refused = [&](const AttentionResult<float>& forward, const Tensor<float, 4>& d_output) {
    return error_of([&] { attend_backward(d_output, in.query, in.key, in.value, forward); });
  };
  const auto plain = attend(in.query, in.key, in.value);
  CHECK(
      mentions(refused(plain, in.d_output), {"attend_backward", "forward.logsumexp", "(1, 4, 4)", "return_logsumexp"}));
  CHECK(mentions(refused({}, in.d_output), {"forward.output", "(1, 4, 4, 3)"}));
  const auto full = attend(in.query, in.key, in.value, {.return_logsumexp = true});
  CHECK(mentions(refused(full, in.query), {"d_output has shape (1, 4, 4, 5)", "(1, 4, 4, 3)"}));
}

TEST_CASE("attend_backward_into writes attend_backward's bits into the caller's memory and refuses what does not fit",
          "[attention]") {
  const Problem<float> in(2, 70, 140);
  const auto bias = random_tensor<float, 2>({70, 140}, 5);
  const auto sink = random_tensor<float, 1>({4}, 6);
  const AttentionOptions<float> options{
      .mask = causal(Corner::bottom_right), .bias = bias, .sink = sink, .return_logsumexp = true};
  auto forward = attend(in.query, in.key, in.value, options);
  const auto wanted = attend_backward(in.d_output, in.query, in.key, in.value, forward, options);
  AttentionGradients<float> found{in.query, in.key, in.value, random_tensor<float, 4>({1, 1, 70, 140}, 7), sink};
  const AttentionGradientViews<float> views{found.query, found.key, found.value, found.bias, found.sink};
  const AttentionOutputs<float> left{.output = forward.output, .logsumexp = forward.logsumexp};
  Serial serial;
  Workspace workspace(backward_workspace_bytes<float>(attention_shape<float>(in.query, in.key, in.value), options, 1));
  const auto run = [&](const AttentionGradientViews<float>& grad, Workspace& memory) {
    attend_backward_into(grad, in.d_output, in.query, in.key, in.value, left, options, memory, serial);
  };
  run(views, workspace);
  CHECK(same_tensor(found.query, wanted.query));
  CHECK(same_tensor(found.key, wanted.key));
  CHECK(same_tensor(found.value, wanted.value));
  CHECK(same_tensor(found.bias, wanted.bias));
  CHECK(same_tensor(found.sink, wanted.sink));
  CHECK(workspace.used() == 0);
  Workspace small(64);
  CHECK(mentions(error_of([&] { run(views, small); }), {"attend_backward_into", "workspace", "64"}));
  AttentionGradientViews<float> twice = views;
  twice.value = View<float, 4>(found.key.data(), extents(in.value));
  CHECK(mentions(error_of([&] { run(twice, workspace); }), {"grad.value", "overlaps"}));
  twice = views, twice.sink = {};
  CHECK(mentions(error_of([&] { run(twice, workspace); }), {"grad.sink"}));
}
