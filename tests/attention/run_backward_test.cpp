// That no cut of a backward into tasks changes a bit, and one query's gradients: the public calls.

#include <heed/attention/run_backward.hpp>

#include <heed/attention/scaled_dot_product_backward.hpp>

#include "attention/attention_testing.hpp"
#include "support/executors.hpp"

using namespace heed;
using namespace heed_test;

namespace {

template <class T>
struct Problem {
  Tensor<T, 4> query, key, value, d_output;
  AttentionOptions<T> options{.return_logsumexp = true};

  Problem(Index batch, Index heads, Index kv_heads, Index queries, Index keys)
      : query(random_tensor<T, 4>({batch, heads, queries, 6}, 1, 1.5)),
        key(random_tensor<T, 4>({batch, kv_heads, keys, 6}, 2, 1.5)),
        value(random_tensor<T, 4>({batch, kv_heads, keys, 5}, 3)),
        d_output(random_tensor<T, 4>({batch, heads, queries, 5}, 4)) {}

  AttentionGradients<T> gradients(ExecutorRef executor) const {
    const auto forward = attend(query, key, value, options, executor);
    return attend_backward(d_output, query, key, value, forward, options, executor);
  }
  AttentionGradients<T> gradients() const {
    Serial serial;
    return gradients(serial);
  }
};

/// height tanh(score), the height learned.
struct Gate {
  Tensor<double, 1> height = zeros<double, 1>({1});
  static void fields(auto&& visit, auto&... self) { visit("height", self.height...); }
  auto operator()(auto score, auto at) const { return score + height(0) * heed::tanh(score) - 0.1 * distance(at); }
  void backward(double score, auto, double d_score, Gate& grad) const { grad.height(0) += d_score * std::tanh(score); }
};

template <class T>
bool same_gradients(const AttentionGradients<T>& a, const AttentionGradients<T>& b) {
  return same_tensor(a.query, b.query) && same_tensor(a.key, b.key) && same_tensor(a.value, b.value) &&
         same_tensor(a.bias, b.bias) && same_tensor(a.sink, b.sink);
}

}  // namespace

TEMPLATE_TEST_CASE("gradients keep their bits for any number of threads, few heads or many", "[attention]", float,
                   double) {
  const Index queries = GENERATE(1, 200), heads = GENERATE(1, 3);
  Problem<TestType> in(1, 2 * heads, heads, queries, 2100);
  const auto sink = random_tensor<TestType, 1>({2 * heads}, 9);
  const auto bias = random_tensor<TestType, 4>({1, 2 * heads, 1, 2100}, 10);
  const auto wide = random_tensor<TestType, 4>({1, 2 * heads, queries, 1}, 11);
  const std::vector<Index> lengths{std::min<Index>(queries, 150)};
  switch (GENERATE(range(0, 4))) {
    case 0: break;
    case 1: in.options.mask = causal(Corner::bottom_right) & window(1500, -1), in.options.sink = sink; break;
    case 2: in.options.bias = bias, in.options.mask = query_lengths(lengths); break;
    case 3: in.options.bias = wide; break;  // summed over keys: one task
  }
  const auto wanted = in.gradients();
  for (const Index threads : {2, 4, 16}) {
    Backwards executor{threads};
    CHECK(same_gradients(in.gradients(executor), wanted));
  }
  ThreadPool pool(3);
  CHECK(same_gradients(in.gradients(pool), wanted));
}

TEMPLATE_TEST_CASE("attend_backward of one query matches the textbook, grouped heads too", "[attention]", float,
                   double) {
  Problem<TestType> in(2, 12, GENERATE(2, 12), 1, 300);
  const std::vector<Index> lengths{300, GENERATE(0, 130)};
  in.options.mask = key_lengths(lengths);
  Textbook book;
  book.scale = 1 / std::sqrt(6.0);
  book.allowed = [&](Index b, Index, Index, Index j) { return j < lengths[std::size_t(b)]; };
  const auto q = in_double(in.query), k = in_double(in.key), v = in_double(in.value);
  book.forward(q, k, v);
  book.backward(in_double(in.d_output), q, k, v);
  const auto found = in.gradients();
  CHECK(close_tensor(found.query, book.d_query));
  CHECK(close_tensor(found.key, book.d_key));
  CHECK(close_tensor(found.value, book.d_value));
}

TEST_CASE("gradients of one query with every option are central differences", "[attention]") {
  Problem<double> in(1, 6, 1, 1, 7);
  auto bias = random_tensor<double, 4>({1, 6, 1, 7}, 8);
  auto sink = random_tensor<double, 1>({6}, 9);
  const auto slopes = random_tensor<double, 1>({6}, 10);
  Tensor<Index, 2> query_ids(1, 1), key_ids(1, 7);
  query_ids.setZero();
  for (Index j = 0; j < 7; ++j) key_ids(0, j) = j == 2;
  in.options = {.mask = segment_ids(query_ids, key_ids) & causal_offset(5),
                .softcap = 1.5,
                .bias = bias,
                .alibi_slopes = slopes,
                .sink = sink,
                .dropout = {.probability = 0.3, .rng = Rng{1, 2}},
                .return_logsumexp = true};
  const auto found = in.gradients();
  const auto loss = [&] { return weighted_sum(attend(in.query, in.key, in.value, in.options).output, in.d_output); };
  check_central_differences(flat(in.query), flat(found.query), loss);
  check_central_differences(flat(in.key), flat(found.key), loss);
  check_central_differences(flat(in.value), flat(found.value), loss);
  check_central_differences(flat(bias), flat(found.bias), loss);
  check_central_differences(flat(sink), flat(found.sink), loss);
}

TEST_CASE("callables have the gradients of central differences for one query, the same bits on any threads",
          "[attention]") {
  Problem<double> in(1, 6, 1, 1, GENERATE(9, 2100));
  in.options.mask = causal(Corner::bottom_right);
  in.options.softcap = 4;
  Gate gate, d_gate, again;
  gate.height(0) = 0.7;
  const auto odd = mask([](auto at) { return at.key != 2; });
  const auto forward = attend(in.query, in.key, in.value, in.options, score(gate), odd);
  const auto run = [&](Gate& grad, ExecutorRef executor) {
    return attend_backward(in.d_output, in.query, in.key, in.value, forward, in.options, executor, score(gate, grad),
                           odd);
  };
  Serial serial;
  const auto found = run(d_gate, serial);
  Backwards executor{16};
  CHECK(same_gradients(run(again, executor), found));
  CHECK(same_tensor(again.height, d_gate.height));
  const auto loss = [&] {
    return weighted_sum(attend(in.query, in.key, in.value, in.options, score(gate), odd).output, in.d_output);
  };
  check_central_differences(flat(in.query), flat(found.query), loss);
  check_central_differences(flat(gate.height), flat(d_gate.height), loss);
  if (in.key.dimension(2) > 9) return;
  check_central_differences(flat(in.key), flat(found.key), loss);
  check_central_differences(flat(in.value), flat(found.value), loss);
}
