// Every option alone and any combination of them: each output and gradient is the textbook's, and each gradient is the
// central difference of the library's own forward.

#include "properties/random_problem.hpp"
#include "properties/reference_problem.hpp"

using namespace heed;
using namespace heed_test;

namespace {

void check_textbook(const AttentionProblem<double>& p, const Everything<double>& found) {
  const ReferenceProblem wanted(p);
  for_each_tensor(
      [](const char* name, const auto& a, const auto& b) {
        INFO(name << " is off by " << largest_error(flat(a), flat(b)));
        CHECK(close_tensor(a, b));
      },
      found, wanted);
}

void check_differences(AttentionProblem<double>& p, const Everything<double>& found) {
  Serial serial;
  const auto loss = [&] {
    AttentionOptions<double> options = p.options();
    options.return_weights = options.return_logsumexp = options.return_row_max = false;
    options.return_entropy = options.return_key_sums = false;
    return weighted_sum(scaled_dot_product_attention(p.query, p.key, p.value, options, serial), p.d_output);
  };
  check_central_differences(flat(p.query), flat(found.gradients.query), loss);
  check_central_differences(flat(p.key), flat(found.gradients.key), loss);
  check_central_differences(flat(p.value), flat(found.gradients.value), loss);
  check_central_differences(flat(p.bias), flat(found.gradients.bias), loss);
  check_central_differences(flat(p.sink), flat(found.gradients.sink), loss);
}

void check_all(AttentionProblem<double>& p) {
  INFO(description(p));
  const Everything<double> found = everything(p);
  check_textbook(p, found);
  check_differences(p, found);
}

AttentionProblem<double> small(Index query_length = 4, Index key_length = 6) {
  return plain_problem<double>({2, 4, 2, query_length, key_length, 3, 2});
}

}  // namespace

TEST_CASE("each number option alone has the gradients of its definition", "[properties]") {
  auto p = small();
  const auto per_head = random_tensor<double, 1>({4}, 9);
  SECTION("none, value_dim different from head_dim, grouped heads") {}
  SECTION("scale 0") { p.scale = 0; }
  SECTION("a negative scale") { p.scale = -0.8; }
  SECTION("a large scale") { p.scale = 9; }
  SECTION("soft cap") { p.softcap = 0.8; }
  SECTION("a soft cap below 0 is off") { p.softcap = -1; }
  SECTION("ALiBi") { p.slopes = per_head; }
  SECTION("sinks") { p.sink = per_head; }
  SECTION("dropout") { p.dropout = {.probability = 0.4, .rng = Rng{7, 8}}; }
  SECTION("dropout of everything") { p.dropout = {.probability = 1, .rng = Rng{7, 8}}; }
  SECTION("one query, the path of decoding") { p = small(1, 6); }
  SECTION("more queries than keys") { p = small(7, 3); }
  check_all(p);
}

TEST_CASE("each kind of mask alone has the gradients of its definition", "[properties]") {
  auto p = small();
  SECTION("plain causal") { p = small(5, 5), p.corner = causal(); }
  SECTION("top left") { p.corner = causal(Corner::top_left); }
  SECTION("bottom right") { p.corner = causal(Corner::bottom_right); }
  SECTION("bottom right with more queries than keys: rows that see nothing") {
    p = small(6, 4), p.corner = causal(Corner::bottom_right);
  }
  SECTION("an offset") { p.corner = causal_offset(1); }
  SECTION("an offset that leaves nothing to the first queries") { p.corner = causal_offset(-2); }
  SECTION("an offset per sample") { p.offsets = {3, -1}; }
  SECTION("a window") { p.corner = window(1, 2); }
  SECTION("a window to the left of the causal diagonal") { p.corner = window(1, -1) & causal(Corner::bottom_right); }
  SECTION("key lengths") { p.key_lengths = {0, 5}; }
  SECTION("query lengths") { p.query_lengths = {4, 1}; }
  SECTION("bottom right with both lengths") {
    p.corner = causal(Corner::bottom_right), p.key_lengths = {6, 3}, p.query_lengths = {2, 4};
  }
  SECTION("segments") {
    p.query_ids = Tensor<Index, 2>(2, 4), p.key_ids = Tensor<Index, 2>(2, 6);
    for (Index b = 0; b < 2; ++b) {
      for (Index i = 0; i < 4; ++i) p.query_ids(b, i) = (i + b) % 3;
      for (Index j = 0; j < 6; ++j) p.key_ids(b, j) = j / 3;
    }
  }
  SECTION("boolean masks of rank 2 to 4, any axis repeated") {
    p.allowed_rank = GENERATE(2, 3, 4);
    const Index repeated = GENERATE(0, 1, 2, 3);
    Extents<4> shape{2, 4, 4, 6};
    for (Index axis = 0; axis < 4 - p.allowed_rank; ++axis) shape[std::size_t(axis)] = 1;
    shape[std::size_t(repeated)] = 1;
    p.allowed = Tensor<std::uint8_t, 4>(shape);
    std::uint8_t turn = 0;
    for (std::uint8_t& byte : flat(p.allowed)) byte = turn = static_cast<std::uint8_t>((5 * turn + 3) % 7);
  }
  check_all(p);
}

TEST_CASE("a bias that repeats along any axes has the gradient of its own extents", "[properties]") {
  auto p = small(3, 4);
  p.bias_rank = GENERATE(2, 3, 4);
  const int repeated = GENERATE(range(0, 16));  // bit a: axis a
  Extents<4> shape{2, 4, 3, 4};
  for (int axis = 0; axis < 4; ++axis)
    if (axis < 4 - p.bias_rank || (repeated >> axis & 1) != 0) shape[std::size_t(axis)] = 1;
  p.bias = random_tensor<double, 4>(shape, 11, 2);
  if (p.bias.size() > 2) p.bias.data()[1] = -infinite<double>;
  INFO(description(p));
  const Everything<double> found = everything(p);
  check_textbook(p, found);
  Serial serial;
  check_central_differences(flat(p.bias), flat(found.gradients.bias), [&] {
    AttentionOptions<double> options{.bias = p.options().bias};
    return weighted_sum(scaled_dot_product_attention(p.query, p.key, p.value, options, serial), p.d_output);
  });
}

TEMPLATE_TEST_CASE("any scale and scores of any size give the textbook's weights", "[properties]", float, double) {
  const Index query_length = GENERATE(1, 70);
  auto p = plain_problem<TestType>({2, 4, 2, query_length, 300, 9, 6});
  const double scale = GENERATE(1e4, 1e6, 1e8, -1e9, 1e12, 1e16, 1e18, 1e22, 1e30);
  const double input = GENERATE(1.0, 1e-3, 1e3);
  p.query = p.query * TestType(input), p.key = p.key * TestType(input), p.scale = TestType(scale / input / input);
  if (GENERATE(0, 1) == 1) p.sink = random_tensor<TestType, 1>({4}, 6, 3);
  INFO("scale " << *p.scale << ", inputs times " << input << ": " << description(p));
  const Everything<TestType> found = everything(p);
  const ReferenceProblem wanted(in_double(p));
  CHECK(close_tensor(found.forward.output, wanted.forward.output));
  CHECK(close_tensor(found.forward.weights, wanted.forward.weights));
  CHECK(close_tensor(found.forward.logsumexp, wanted.forward.logsumexp));
  CHECK(close_tensor(found.forward.row_max, wanted.forward.row_max));
  double largest = 0;
  for (const TestType x : flat(found.gradients.value)) largest = std::fmax(largest, std::abs(double(x)));
  CHECK(largest < 4.0 * double(query_length));  // weights are at most 1
}

TEST_CASE("random combinations of options agree with the textbook and with central differences", "[properties]") {
  for (std::uint64_t seed = 1; seed <= 150; ++seed) {
    auto p = random_problem<double>(seed, Size::small);
    INFO("seed " << seed);
    check_all(p);
  }
}

TEST_CASE("random combinations over several tiles and in decoding agree with the textbook", "[properties]") {
  for (std::uint64_t seed = 1; seed <= 80; ++seed) {
    const auto p = random_problem<double>(seed, seed % 4 == 0 ? Size::decode : Size::tiles);
    INFO("seed " << seed << ": " << description(p));
    check_textbook(p, everything(p));
  }
}
