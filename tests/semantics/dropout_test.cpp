// SEMANTICS 17: dropout drops the same pairs in forward and backward, those that CoordinateBits names, however the call
// is cut.

#include <heed/core/thread_pool.hpp>

#include "properties/moved_problem.hpp"
#include "properties/random_problem.hpp"
#include "properties/reference_problem.hpp"

using namespace heed;
using namespace heed_test;

namespace {

/// Values and upstream gradients are the identity: output(i, j) is what is left of weight (i, j), as is d_value(j, i).
template <class T>
AttentionProblem<T> readable_problem(Index batch, Index length, double probability) {
  auto p = plain_problem<T>({batch, 2, 2, length, length, 5, length});
  for (Tensor<T, 4>* const x : {&p.value, &p.d_output}) {
    x->setZero();
    for (Index b = 0; b < batch; ++b)
      for (Index h = 0; h < 2; ++h)
        for (Index i = 0; i < length; ++i) (*x)(b, h, i, i) = 1;
  }
  p.dropout = {.probability = probability, .rng = Rng{31, 4}};
  return p;
}

/// Where output and d_value are not what CoordinateBits leaves of the weights.
template <class T>
Index wrongly_dropped(const AttentionProblem<T>& p, const Everything<T>& found) {
  Index wrong = 0;
  const Index length = found.forward.output.dimension(3);
  for (Index b = 0; b < p.batch(); ++b)
    for (Index h = 0; h < p.heads(); ++h)
      for (Index i = 0; i < length; ++i)
        for (Index j = 0; j < length; ++j) {
          const double left = kept(p, b, h, i, j) * double(found.forward.weights(b, h, i, j));
          const T output = found.forward.output(b, h, i, j), d_value = found.gradients.value(b, h, j, i);
          wrong += !close(output, left) || (output == 0) != (left == 0) || !close(d_value, left) ||
                   (d_value == 0) != (left == 0);
        }
  return wrong;
}

}  // namespace

TEMPLATE_TEST_CASE("semantics 17: forward and backward drop what the coordinate's bits say, however the call is cut",
                   "[semantics]", float, double) {
  const Index length = GENERATE(3, 64, 130);
  const auto p = readable_problem<TestType>(3, length, GENERATE(0.1, 0.5, 0.9));
  const auto wanted = everything(p);
  CHECK(wrongly_dropped(p, wanted) == 0);
  for (const Index threads : {2, 5, 8}) {
    ThreadPool pool(threads);
    CHECK(different(everything(p.options(), p.inputs(), pool), wanted) == "");
  }
  CHECK(different_per_sample(everything(take(p, {0, 1})), take(wanted, {0, 1})) == "");
  CHECK(wrongly_dropped(p, leading(everything(padded(p, length + 3, length + 66, TestType(7))), wanted)) == 0);
}

TEST_CASE("semantics 17: gradients are the textbook's with the bits as a mask, however the call is padded",
          "[semantics]") {
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    auto p = random_problem<double>(seed, seed % 4 == 0 ? Size::decode : Size::tiles);
    p.dropout = {.probability = 0.05 * static_cast<double>(seed % 20), .rng = Rng{seed, seed}};
    INFO("seed " << seed << ": " << description(p));
    const ReferenceProblem wanted(p);
    const auto check = [&](const Everything<double>& found) {
      for_each_per_sample(
          [](const char* name, const auto& a, const auto& b) {
            INFO(name);
            CHECK(close_tensor(a, b));
          },
          found, wanted);
    };
    const auto found = everything(p);
    check(found);
    check(leading(everything(padded(p, p.query_length() + 5, p.key_length() + 70, not_a_number<double>)), found));
  }
}

TEST_CASE("semantics 17: the share that is kept is 1 - p, and another seed or offset drops others", "[semantics]") {
  auto p = readable_problem<float>(1, 200, 0.3);
  const auto count = [&](const Rng& rng) {
    p.dropout.rng = rng;
    const auto found = everything(p);
    Index left = 0;
    for (const float x : flat(found.forward.output)) left += x != 0;
    return std::pair(left, found);
  };
  const auto [left, first] = count({31, 4});
  CHECK(double(left) / (2 * 200 * 200) == Approx(0.7).margin(0.01));
  CHECK(different(count({31, 4}).second, first) == "");
  CHECK(different(count({31, 5}).second, first).find("output") != std::string::npos);
  CHECK(different(count({32, 4}).second, first).find("output") != std::string::npos);
}

TEMPLATE_TEST_CASE("semantics 17: dropout comes after softmax and before V, and weights are returned as before it",
                   "[semantics]", float, double) {
  auto p = plain_problem<TestType>({2, 2, 1, GENERATE(1, 5), 70, 4, 3});
  const auto plain = everything(p);
  p.dropout = {.probability = GENERATE(0.0, 0.4, 1.0), .rng = Rng{2, 3}};
  const auto found = everything(p);
  CHECK(same_tensor(found.forward.weights, plain.forward.weights));
  CHECK(same_tensor(found.forward.logsumexp, plain.forward.logsumexp));
  CHECK(same_tensor(found.forward.key_sums, plain.forward.key_sums));
  const ReferenceProblem wanted(in_double(p));
  CHECK(close_tensor(found.forward.output, wanted.forward.output));
  CHECK(close_tensor(found.gradients.value, wanted.gradients.value));
  if (p.dropout.probability == 0) CHECK(different(found, plain) == "");
  if (p.dropout.probability == 1)
    for (const TestType x : flat(found.forward.output)) CHECK(same_bits(x, TestType(0)));
}

TEST_CASE("semantics 17: p outside [0, 1] and dropout without a generator are errors", "[semantics]") {
  const auto p = plain_problem<float>({1, 1, 1, 3, 4, 2, 2});
  const auto error = [&](const AttentionDropout& dropout) {
    return error_of([&] { attend(p.query, p.key, p.value, {.dropout = dropout}); });
  };
  CHECK(mentions(error({.probability = -0.1, .rng = Rng{1, 1}}), {"dropout", "-0.1"}));
  CHECK(mentions(error({.probability = 1.5, .rng = Rng{1, 1}}), {"dropout", "1.5"}));
  CHECK(mentions(error({.probability = 0.5}), {"dropout", "rng"}));
  CHECK(different(everything(p), everything(p)) == "");  // no hidden state between calls
}

TEST_CASE("semantics 17: the bits are Philox4x32-10's", "[semantics]") {  // Random123's known answers
  const auto block = [](std::uint32_t word) { return Philox::block({word, word, word, word}, {word, word}); };
  CHECK(block(0) == Philox::Counter{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8});
  CHECK(block(0xffffffff) == Philox::Counter{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd});
}
