// SEMANTICS 28: a fault of the caller's is found before anything is written, and named. What a build without exceptions
// does is tests/noexcept's.

#include <heed/nn/dense.hpp>
#include <heed/nn/gru.hpp>
#include <heed/nn/multi_head_attention.hpp>

#include <filesystem>
#include <fstream>
#include <functional>
#include <sstream>

#include "properties/attention_problem.hpp"

using namespace heed;
using namespace heed_test;

namespace {

/// One call into memory that is the caller's, with something about it changed.
struct Call {
  AttentionProblem<float> p = plain_problem<float>({2, 4, 2, 3, 5, 4, 6});
  AttentionInputs<float> in = p.inputs();
  AttentionOptions<float> options;
  Tensor<float, 4> output{2, 4, 3, 6}, weights{2, 4, 3, 5};
  Tensor<float, 3> logsumexp{2, 4, 3};
  AttentionOutputs<float> out{.output = output, .weights = weights, .logsumexp = logsumexp};
  std::vector<Index> lengths;

  /// The message, or an empty one; writes nothing when there is one.
  std::string error() {
    output.setConstant(7), weights.setConstant(7), logsumexp.setConstant(7);
    Workspace workspace(1 << 20);
    Serial serial;
    const std::string message =
        error_of([&] { attend_into(out, in.query, in.key, in.value, options, workspace, serial); });
    bool untouched = true;
    for (const std::span<float> all : {flat(output), flat(weights), flat(logsumexp)})
      for (const float x : all) untouched = untouched && x == 7;
    CHECK(untouched == !message.empty());
    return message;
  }
};
std::string error_with(const std::function<void(Call&)>& change) {
  Call call;
  change(call);
  return call.error();
}

}  // namespace

TEST_CASE("semantics 28: heed::Error is a std::invalid_argument", "[semantics]") {
  static_assert(std::is_base_of_v<std::invalid_argument, Error>);
  CHECK_THROWS_AS(fail("x"), std::invalid_argument);
}

TEST_CASE("semantics 28: attention names the argument, what came and what was wanted, and writes nothing",
          "[semantics]") {
  CHECK(error_with([](Call&) {}).empty());
  const auto refused = [](std::initializer_list<const char*> parts, const std::function<void(Call&)>& change) {
    const std::string message = error_with(change);
    INFO(message);
    CHECK(mentions(message, parts));
    CHECK(mentions(message, {"attend_into"}));
  };
  refused({"key", "3", "4"}, [](Call& c) { c.in.key.extents[3] = 3; });
  refused({"value", "1", "2"}, [](Call& c) { c.in.value.extents[0] = 1; });
  refused({"value", "4", "5"}, [](Call& c) { c.in.value.extents[2] = 4; });
  refused({"output", "(2, 4, 3, 5)", "(2, 4, 3, 6)"}, [](Call& c) { c.out.output.extents[3] = 5; });
  refused({"weights", "(2, 4, 3, 4)", "(2, 4, 3, 5)"}, [](Call& c) { c.out.weights.extents[3] = 4; });
  refused({"output", "stride", "2", "1"}, [](Call& c) { c.out.output.strides[3] = 2; });
  refused({"key_lengths", "6", "5"}, [](Call& c) { c.lengths = {1, 6}, c.options.mask = key_lengths(c.lengths); });
  refused({"key_lengths", "1", "2"}, [](Call& c) { c.lengths = {1}, c.options.mask = key_lengths(c.lengths); });
  refused({"causal", "3", "5"}, [](Call& c) { c.options.mask = causal(); });
  refused({"scale", "nan", "finite"}, [](Call& c) { c.options.scale = not_a_number<float>; });
  refused({"dropout", "2"}, [](Call& c) { c.options.dropout = {.probability = 2, .rng = Rng{1, 1}}; });
  refused({"sink", "1", "4"}, [](Call& c) { c.options.sink = View<const float, 1>(c.p.query.data(), {1}); });
  refused({"bias", "(1, 1, 1, 4)", "(2, 4, 3, 5)"}, [](Call& c) {
    c.options.bias = View<const float, 4>(c.p.query.data(), {1, 1, 1, 4});
  });
}

TEST_CASE("semantics 28: layers refuse before they write, by name", "[semantics]") {
  Rng rng{1, 0};
  const Dense<float> dense({.in_features = 3, .out_features = 2}, rng);
  std::vector<float> x(8, 1.f), y(4, 7.f);
  CHECK(mentions(error_of([&] {
                   dense.forward_into(MatrixView<const float>{x.data(), 2, 4}, {y.data(), 2, 2});
                 }),
                 {"Dense::forward", "x", "(2, 4)", "(any, 3)"}));
  CHECK(mentions(error_of([&] {
                   dense.forward_into(MatrixView<const float>{x.data(), 2, 3}, {y.data(), 1, 2});
                 }),
                 {"Dense::forward", "y", "(1, 2)", "(2, 2)"}));
  for (const float number : y) CHECK(number == 7);
  const Gru<float> gru({.input_dim = 3, .hidden_dim = 2}, rng);
  const std::vector<Index> lengths{5};
  CHECK(mentions(error_of([&] {
                   gru.forward(random_tensor<float, 3>({1, 4, 3}, 1), {.lengths = lengths});
                 }),
                 {"Gru::forward", "lengths", "5", "4"}));
  const MultiHeadAttention<float> heads({.model_dim = 4, .heads = 2}, rng);
  CHECK(mentions(error_of([&] {
                   heads.forward(random_tensor<float, 3>({1, 4, 5}, 1));
                 }),
                 {"MultiHeadAttention::forward", "query", "5", "4"}));
}

TEST_CASE("semantics 28: kernels behind the checks do not throw", "[semantics]") {
  const std::filesystem::path folder = std::filesystem::path(HEED_TEST_FIXTURES) / "../../include/heed/kernels";
  Index files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    std::ifstream file(entry.path());
    std::stringstream text;
    text << file.rdbuf();
    INFO(entry.path().filename().string());
    for (const char* const word : {"throw ", "heed::raise(", " fail(", " check(", "core/check.hpp", "std::vector<"})
      if (entry.path().filename().string().find("reference") == std::string::npos)  // which allocates, and is no kernel
        CHECK(text.str().find(word) == std::string::npos);
    ++files;
  }
  CHECK(files > 30);
}
