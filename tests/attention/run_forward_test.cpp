// What enters scores besides products and masks, and what can be asked for besides the output: the public calls.

#include <heed/attention/run_forward.hpp>

#include <heed/attention/scaled_dot_product_backward.hpp>

#include "attention/attention_testing.hpp"

using namespace heed;
using namespace heed_test;

namespace {

constexpr Index heads = 4, dim = 5;

template <class T>
struct Call {
  Tensor<T, 4> query, key, value;
  AttentionOptions<T> options{};
  Textbook book{};

  Call(Index queries, Index keys)
      : query(random_tensor<T, 4>({2, heads, queries, dim}, 1, 2)),
        key(random_tensor<T, 4>({2, 2, keys, dim}, 2, 2)),
        value(random_tensor<T, 4>({2, 2, keys, dim}, 3)) {
    book.scale = 1 / std::sqrt(double(dim));
  }
  AttentionResult<T> attend_all(ExecutorRef executor = default_executor()) {
    AttentionOptions<T> all = options;
    all.return_weights = all.return_logsumexp = all.return_row_max = all.return_entropy = all.return_key_sums = true;
    return attend(query, key, value, all, executor);
  }
  void check() {
    book.forward(in_double(query), in_double(key), in_double(value));
    const AttentionResult<T> found = attend_all();
    CHECK(close_tensor(found.output, book.output));
    CHECK(close_tensor(found.weights, book.weights));
    CHECK(close_tensor(found.logsumexp, book.logsumexp));
    Tensor<double, 3> sums = zeros<double, 3>(extents(found.key_sums)),
                      entropy = zeros<double, 3>(extents(found.entropy));
    for (Index b = 0; b < 2; ++b)
      for (Index h = 0; h < heads; ++h)
        for (Index i = 0; i < query.dimension(2); ++i)
          for (Index j = 0; j < key.dimension(2); ++j) {
            const double w = book.weights(b, h, i, j);
            sums(b, h, j) += w;
            entropy(b, h, i) -= w > 0 ? w * std::log(w) : 0;
          }
    CHECK(close_tensor(found.key_sums, sums));
    CHECK(close_tensor(found.entropy, entropy));
  }
};

}  // namespace

TEMPLATE_TEST_CASE("soft cap, ALiBi, sinks and segments enter where they are defined to, in both paths", "[attention]",
                   float, double) {
  const Index queries = GENERATE(1, 70), keys = 300;
  Call<TestType> call(queries, keys);
  const auto numbers = random_tensor<TestType, 1>({heads}, 9, 0.5);
  Tensor<Index, 2> query_ids(2, queries), key_ids(2, keys);
  for (Index b = 0; b < 2; ++b) {
    for (Index i = 0; i < queries; ++i) query_ids(b, i) = b + i / 30;
    for (Index j = 0; j < keys; ++j) key_ids(b, j) = j / 100;
  }
  const auto cap = [&] { call.options.softcap = 2, call.book.softcap = 2; };
  const auto alibi = [&](Index offset) {
    call.options.alibi_slopes = numbers;
    call.book.bias = [&numbers, offset](Index, Index h, Index i, Index j) {
      return -double(numbers(h)) * std::abs(double(i + offset - j));
    };
  };
  const auto sink = [&] {
    call.options.sink = numbers;
    call.book.sink = [&numbers](Index h) { return double(numbers(h)); };
  };
  SECTION("soft cap") { cap(); }
  SECTION("ALiBi measures from the causal diagonal") {
    call.options.mask = causal_offset(200);
    call.book.allowed = [](Index, Index, Index i, Index j) { return j <= i + 200; };
    alibi(200);
  }
  SECTION("sinks, with rows that see nothing") {
    sink();
    call.options.mask = causal_offset(-20);
    call.book.allowed = [](Index, Index, Index i, Index j) { return j <= i - 20; };
  }
  SECTION("segments") {
    call.options.mask = segment_ids(query_ids, key_ids);
    call.book.allowed = [&](Index b, Index, Index i, Index j) { return query_ids(b, i) == key_ids(b, j); };
  }
  SECTION("all at once") {
    cap(), alibi(0), sink();
    call.options.mask = segment_ids(query_ids, key_ids) & window(120, -1);
    call.book.allowed = [&](Index b, Index, Index i, Index j) {
      return query_ids(b, i) == key_ids(b, j) && j >= i - 120;
    };
  }
  call.check();
}

TEST_CASE("a row that sees nothing has the sink as its logsumexp, to the bit", "[attention]") {
  Call<float> call(3, 4);
  const auto sink = random_tensor<float, 1>({heads}, 9);
  const std::vector<Index> none{0, 0};
  call.options.sink = sink, call.options.mask = key_lengths(none);
  const auto found = call.attend_all();
  CHECK(same_bits(found.logsumexp(1, 2, 1), sink(2)));
  CHECK(found.output(1, 2, 1, 0) == 0);
  CHECK(found.row_max(1, 2, 1) == -infinite<float>);
}

TEST_CASE("no queries add nothing to the keys' sums", "[attention]") {
  Call<float> call(0, 4);
  CHECK(close_tensor(call.attend_all().key_sums, zeros<double, 3>({2, heads, 4})));
}

TEST_CASE("the row maximum is the largest visible scaled score", "[attention]") {
  Call<double> call(9, 200);
  call.options.scale = GENERATE(0.7, -0.7, 0.0);
  call.options.mask = causal_offset(100);
  const auto found = call.attend_all();
  double wanted = -infinite<double>;
  for (Index j = 0; j <= 103; ++j) {
    double sum = 0;
    for (Index d = 0; d < dim; ++d) sum += call.query(1, 2, 3, d) * call.key(1, 1, j, d);
    wanted = std::max(wanted, *call.options.scale * sum);
  }
  CHECK(close(found.row_max(1, 2, 3), wanted));
}

TEST_CASE("what is asked for besides the output keeps its bits for any number of threads", "[attention]") {
  Call<float> call(150, 130);
  call.options.mask = causal(Corner::bottom_right);
  ThreadPool one(1), several(5);
  const auto wanted = call.attend_all(one), found = call.attend_all(several);
  CHECK(same_tensor(found.key_sums, wanted.key_sums));
  CHECK(same_tensor(found.entropy, wanted.entropy));
  CHECK(same_tensor(found.row_max, wanted.row_max));
  CHECK(same_tensor(found.output, scaled_dot_product_attention(call.query, call.key, call.value, call.options)));
}

TEST_CASE("gradients with soft cap, ALiBi, sinks and segments are central differences", "[attention]") {
  Call<double> call(4, 7);
  auto sink = random_tensor<double, 1>({heads}, 9);
  const auto slopes = random_tensor<double, 1>({heads}, 8);
  Tensor<Index, 2> query_ids(2, 4), key_ids(2, 7);
  for (Index b = 0; b < 2; ++b) {
    for (Index i = 0; i < 4; ++i) query_ids(b, i) = i / 3;
    for (Index j = 0; j < 7; ++j) key_ids(b, j) = j / 4;
  }
  call.options = {.mask = segment_ids(query_ids, key_ids), .softcap = 1.5, .alibi_slopes = slopes, .sink = sink,
                  .return_logsumexp = true};
  const auto d_output = random_tensor<double, 4>({2, heads, 4, dim}, 4);
  const auto found = attend_backward(d_output, call.query, call.key, call.value,
                                     attend(call.query, call.key, call.value, call.options), call.options);
  const auto loss = [&] {
    return weighted_sum(attend(call.query, call.key, call.value, call.options).output, d_output);
  };
  check_central_differences(flat(call.query), flat(found.query), loss);
  check_central_differences(flat(call.key), flat(found.key), loss);
  check_central_differences(flat(call.value), flat(found.value), loss);
  check_central_differences(flat(sink), flat(found.sink), loss);
}

TEST_CASE("numbers per head and segment ids of another shape are refused by name", "[attention]") {
  Call<float> call(3, 4);
  const Tensor<float, 1> three(3);
  const Tensor<Index, 2> ids(2, 4);
  const auto refused = [&](const AttentionOptions<float>& options) {
    return error_of([&] { attend(call.query, call.key, call.value, options); });
  };
  CHECK(mentions(refused({.sink = three}), {"attend", "sink", "(3)", "(4)"}));
  CHECK(mentions(refused({.alibi_slopes = three}), {"attend", "alibi_slopes", "(3)"}));
  CHECK(mentions(refused({.mask = segment_ids(ids)}), {"attend", "segment_ids of queries", "(2, 4)", "(2, 3)"}));
  CHECK(mentions(refused({.softcap = infinite<float>}), {"attend", "softcap"}));
}
