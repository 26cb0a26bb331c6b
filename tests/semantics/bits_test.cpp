// SEMANTICS 27: what no bit of a result depends on. Forward, everything that can be asked for, and backward.

#include <heed/core/thread_pool.hpp>

#include "properties/moved_problem.hpp"
#include "properties/random_problem.hpp"
#include "support/executors.hpp"

using namespace heed;
using namespace heed_test;

namespace {

/// Lengths around a tile's edges, every mask of a decoder, several heads per key head.
template <class T>
AttentionProblem<T> decoder_problem(Index batch, Index length) {
  auto p = plain_problem<T>({batch, 4, 2, length, length, 9, 6});
  p.corner = causal(Corner::bottom_right) & window(100, -1);
  p.sink = random_tensor<T, 1>({4}, 8);
  p.dropout = {.probability = 0.1, .rng = Rng{5, 6}};
  return p;
}

template <class T>
using Layout = typename Scattered<T>::Layout;
template <class T>
std::vector<Layout<T>> layouts() {
  return {{.order = {0, 2, 1, 3}},                              // (batch, length, heads, dim)
          {.order = {3, 2, 1, 0}},                              // column-major
          {.direction = {1, -1, -1, -1}},                       // backwards
          {.order = {1, 0, 3, 2}, .direction = {-1, 1, 1, 1}},  // dim before length
          {.gap = 5},                                           // rows apart
          {.order = {0, 2, 1, 3}, .step = 3, .gap = 1},         // elements apart
          {.order = {2, 1, 0, 3}, .direction = {-1, 1, -1, 1}}};
}

}  // namespace

TEMPLATE_TEST_CASE("semantics 27: no bit depends on the threads, the executor or the run", "[semantics]", float,
                   double) {
  for (std::uint64_t seed = 1; seed <= 25; ++seed) {
    const auto p = random_problem<TestType>(seed, Size::tiles);
    const auto wanted = everything(p);
    INFO("seed " << seed << ": " << description(p));
    CHECK(different(everything(p), wanted) == "");
    for (Index threads = 1; threads <= 8; ++threads) {
      ThreadPool pool(threads);
      INFO("threads " << threads);
      CHECK(different(everything(p.options(), p.inputs(), pool), wanted) == "");
    }
    for (const Index claimed : {1, 3, 1000}) {
      Backwards executor{claimed};
      CHECK(different(everything(p.options(), p.inputs(), executor), wanted) == "");
    }
  }
}

TEMPLATE_TEST_CASE("semantics 27: no bit depends on strides, nor on what lies between the elements", "[semantics]",
                   float, double) {
  const TestType fill = GENERATE(not_a_number<TestType>, infinite<TestType>, TestType(1e30));
  Serial serial;
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    const auto p = random_problem<TestType>(seed, Size::tiles);
    const auto wanted = everything(p);
    INFO("seed " << seed << ": " << description(p));
    const auto all = layouts<TestType>();
    const auto bytes = layouts<std::uint8_t>();
    for (std::size_t n = 0; n < all.size(); ++n) {
      const auto layout = [&](std::size_t input) { return all[(n + input * (seed % 3)) % all.size()]; };
      const Scattered<TestType> query(p.query, layout(0), fill), key(p.key, layout(1), fill),
          value(p.value, layout(2), fill), d_output(p.d_output, layout(3), fill);
      INFO("layout " << n);
      AttentionOptions<TestType> options = p.options();
      const Scattered<TestType> bias(p.bias, layout(4), fill);
      const Scattered<std::uint8_t> allowed(p.allowed, bytes[(n + 1) % bytes.size()], 1);
      if (p.bias.size() > 0) options.bias = bias.view();
      if (p.allowed.size() > 0) options.mask.boolean = allowed.view();
      const AttentionInputs<TestType> views{query.view(), key.view(), value.view(), d_output.view()};
      CHECK(different(everything(options, views, serial), wanted) == "");
    }
  }
}

TEMPLATE_TEST_CASE("semantics 27: a stride of 0 gives the bits of what it repeats", "[semantics]", float, double) {
  auto p = decoder_problem<TestType>(2, 130);
  const Index repeated = GENERATE(0, 1, 2, 3);  // bit 0: along keys, bit 1: along heads and samples
  Serial serial;
  const auto repeat = [&](Tensor<TestType, 4>& x) {
    View<const TestType, 4> view(x);
    if ((repeated & 1) != 0) view.strides[2] = 0;
    if ((repeated & 2) != 0) view.strides[0] = view.strides[1] = 0;
    return view;
  };
  const AttentionInputs<TestType> views{p.query, repeat(p.key), repeat(p.value), p.d_output};
  auto copied = p;
  for (const auto& [from, to] : {std::pair{&views.key, &copied.key}, std::pair{&views.value, &copied.value}})
    for (Index b = 0; b < 2; ++b)
      for (Index h = 0; h < 2; ++h)
        for (Index t = 0; t < 130; ++t)
          for (Index d = 0; d < to->dimension(3); ++d) (*to)(b, h, t, d) = (*from)(b, h, t, d);
  CHECK(different(everything(p.options(), views, serial), everything(copied)) == "");
}

TEMPLATE_TEST_CASE("semantics 27: no bit of a sample depends on the batch's order or size", "[semantics]", float,
                   double) {
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    auto p = random_problem<TestType>(seed, Size::tiles);
    const Index batch = p.batch();
    if (batch == 1) continue;
    INFO("seed " << seed << ": " << description(p));
    const auto whole = everything(p);
    for (Index first = 1; first < batch; ++first) {  // samples keep their place: dropout's coordinate
      std::vector<Index> samples(static_cast<std::size_t>(first));
      for (Index s = 0; s < first; ++s) samples[static_cast<std::size_t>(s)] = s;
      CHECK(different_per_sample(everything(take(p, samples)), take(whole, samples)) == "");
    }
    p.dropout = {};
    const auto plain = everything(p);
    for (const std::vector<Index>& samples :
         {std::vector<Index>{batch - 1}, {batch - 1, 0}, {0, 0, batch - 1, batch / 2}})
      CHECK(different_per_sample(everything(take(p, samples)), take(plain, samples)) == "");
  }
}

TEMPLATE_TEST_CASE("semantics 27: no bit of a sample depends on how far it is padded", "[semantics]", float, double) {
  const Index length = GENERATE(1, 2, 63, 64, 65, 129, 199);
  const TestType fill = GENERATE(not_a_number<TestType>, -infinite<TestType>, TestType(1e30));
  const auto p = decoder_problem<TestType>(2, length);
  const auto wanted = everything(p);
  for (const Index padding : {1, 71}) {
    INFO("length " << length << " and " << padding);
    const auto found = everything(padded(p, length + padding, length + padding, fill));
    CHECK(different_per_sample(leading(found, wanted), wanted) == "");
    const auto to_200 = everything(padded(p, 200, length + padding, fill));
    CHECK(different_per_sample(leading(to_200, wanted), wanted) == "");
  }
}

TEMPLATE_TEST_CASE("semantics 27: no bit of any combination of options depends on padding", "[semantics]", float,
                   double) {
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    const auto p = random_problem<TestType>(seed, Size::tiles);
    const auto wanted = everything(p);
    INFO("seed " << seed << ": " << description(p));
    const TestType fill = seed % 2 == 0 ? not_a_number<TestType> : TestType(1e30);
    const auto found =
        everything(padded(p, p.query_length() + 1 + Index(seed % 70), p.key_length() + 1 + Index(seed % 90), fill));
    CHECK(different_per_sample(leading(found, wanted), wanted) == "");
  }
}

TEMPLATE_TEST_CASE("semantics 27: no bit depends on what else is asked for, nor on who owns the memory", "[semantics]",
                   float, double) {
  Serial serial;
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    const auto p = random_problem<TestType>(seed, Size::tiles);
    const auto all = everything(p);
    INFO("seed " << seed << ": " << description(p));
    AttentionOptions<TestType> options = p.options();
    const auto shape = attention_shape<TestType>(p.query, p.key, p.value);
    Workspace workspace(workspace_bytes<TestType>(shape, options, 1));
    Tensor<TestType, 4> output(shape.batch, shape.query_length, shape.heads,
                               shape.value_dim);  // (batch, length, heads, dim)
    const Index row = shape.heads * shape.value_dim;
    attend_into(
        AttentionOutputs<TestType>{
            .output = {output.data(), shape.output(), {shape.query_length * row, shape.value_dim, row, 1}}},
        p.query, p.key, p.value, options, workspace, serial);
    CHECK(same_tensor(Tensor<TestType, 4>(output.shuffle(Eigen::array<int, 4>{0, 2, 1, 3})), all.forward.output));
    options.return_weights = options.return_logsumexp = options.return_row_max = options.return_entropy =
        options.return_key_sums = false;
    CHECK(same_tensor(scaled_dot_product_attention(p.query, p.key, p.value, options), all.forward.output));
    options.return_entropy = true;
    CHECK(same_tensor(attend(p.query, p.key, p.value, options).entropy, all.forward.entropy));
  }
}

TEMPLATE_TEST_CASE("semantics 27: one query on the path of many has the bits that it has in padding", "[semantics]", float,
                   double) {
  auto p = plain_problem<TestType>({2, 4, 2, 1, 130, 9, 6});
  p.sink = random_tensor<TestType, 1>({4}, 8);
  AttentionOptions<TestType> options = p.options();
  options.path = QueryPath::block;
  for (const Index threads : {1, 8}) {
    ThreadPool pool(threads);
    const auto alone = everything(options, p.inputs(), pool);
    const auto longer = everything(padded(p, 5, 130, not_a_number<TestType>));
    CHECK(different_per_sample(leading(longer, alone), alone) == "");
  }
}
