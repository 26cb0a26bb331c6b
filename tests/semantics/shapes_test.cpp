// SEMANTICS 18 to 20: empty and odd shapes, strides, and what else a call returns.

#include "properties/moved_problem.hpp"
#include "properties/reference_problem.hpp"

using namespace heed;
using namespace heed_test;

namespace {

/// Every tensor of a result that holds a number that is not +0.
template <class T>
std::string not_zero(const Everything<T>& found) {
  std::string names;
  for_each_tensor(
      [&](const std::string& name, const auto& x) {
        for (const T number : flat(x))
          if (!same_bits(number, name == "logsumexp" || name == "row_max" ? -infinite<T> : T(0)))
            return void(names += name + " ");
      },
      found);
  return names;
}

}  // namespace

TEMPLATE_TEST_CASE("semantics 18: head_dim 0 is an error", "[semantics]", float, double) {
  const auto p = plain_problem<TestType>({2, 2, 2, 3, 4, 0, 3});
  CHECK(mentions(error_of([&] { attend(p.query, p.key, p.value); }), {"attend", "head_dim", "0"}));
}

TEMPLATE_TEST_CASE("semantics 18: batch, heads, query_length or value_dim 0 are empty results, no keys give zeros",
                   "[semantics]", float, double) {
  AttentionShape shape{2, 4, 2, 3, 5, 4, 3};
  SECTION("batch") { shape.batch = 0; }
  SECTION("heads") { shape.heads = shape.kv_heads = 0; }
  SECTION("query_length") { shape.query_length = 0; }
  SECTION("value_dim") { shape.value_dim = 0; }
  SECTION("key_length") { shape.key_length = 0; }
  const auto p = plain_problem<TestType>(shape);
  const auto found = everything(p);
  CHECK(extents(found.forward.output) == shape.output());
  CHECK(extents(found.forward.weights) == shape.weights());
  CHECK(extents(found.forward.logsumexp) == shape.logsumexp());
  CHECK(extents(found.gradients.query) == shape.query());
  CHECK(extents(found.gradients.key) == shape.key());
  CHECK(extents(found.gradients.value) == shape.value());
  if (shape.value_dim > 0) CHECK(not_zero(found) == "");
  if (shape.value_dim == 0) {  // the weights are there, nothing flows back
    CHECK(close_tensor(found.forward.weights, ReferenceProblem(in_double(p)).forward.weights));
    for (const TestType x : flat(found.gradients.query)) CHECK(x == 0);
  }
}

TEMPLATE_TEST_CASE("semantics 18: any head_dim and value_dim from 1 up", "[semantics]", float, double) {
  const Index queries = GENERATE(1, 3);
  for (Index dim = 1; dim <= 66; dim += dim < 36 ? 1 : 7)
    for (const Index other : {Index{1}, dim, 67 - dim}) {
      const auto p = plain_problem<TestType>({1, 1, 1, queries, 19, dim, other});
      const auto found = everything(p);
      const ReferenceProblem wanted(in_double(p));
      INFO("head_dim " << dim << ", value_dim " << other);
      CHECK(close_tensor(found.forward.output, wanted.forward.output));
      CHECK(close_tensor(found.gradients.query, wanted.gradients.query));
      CHECK(close_tensor(found.gradients.key, wanted.gradients.key));
      CHECK(close_tensor(found.gradients.value, wanted.gradients.value));
    }
}

TEMPLATE_TEST_CASE("semantics 19: inputs may have any strides, 0 and negative ones included", "[semantics]", float,
                   double) {
  using T = TestType;
  auto p = plain_problem<T>({2, 2, 2, GENERATE(1, 4), 70, 5, 3});
  const auto repeated = [](const Tensor<T, 4>& x, Tensor<T, 4>& copy) {  // key 0 at every place
    copy = x;
    for (Index t = 0; t < x.dimension(2); ++t) copy.chip(t, 2) = x.chip(0, 2);
    View<const T, 4> view(x);
    view.strides[2] = 0;
    return view;
  };
  auto copied = p;
  AttentionInputs<T> views = p.inputs();
  const typename Scattered<T>::Layout backwards{
      .order = {3, 0, 2, 1}, .direction = {-1, 1, -1, -1}, .step = 2, .gap = 3};
  const Scattered<T> query(p.query, backwards, not_a_number<T>), key(p.key, backwards, not_a_number<T>),
      d_output(p.d_output, backwards, not_a_number<T>);
  SECTION("backwards, transposed and apart") { views = {query.view(), key.view(), p.value, d_output.view()}; }
  SECTION("0 along the keys") {
    views.key = repeated(p.key, copied.key), views.value = repeated(p.value, copied.value);
  }
  Serial serial;
  const auto found = everything(p.options(), views, serial);
  CHECK(different(found, everything(copied)) == "");
  CHECK(close_tensor(found.forward.output, ReferenceProblem(in_double(copied)).forward.output));
}

TEST_CASE("semantics 19: outputs may not overlap inputs or themselves", "[semantics]") {
  auto p = plain_problem<float>({1, 2, 2, 4, 4, 3, 3});
  Serial serial;
  const AttentionShape shape = attention_shape<float>(p.query, p.key, p.value);
  Workspace workspace(workspace_bytes<float>(shape, {}, 1));
  const auto error = [&](const AttentionOutputs<float>& out) {
    return error_of([&] { attend_into(out, p.query, p.key, p.value, {}, workspace, serial); });
  };
  const Tensor<float, 4> query = p.query, key = p.key, value = p.value;
  CHECK(mentions(error({.output = p.query}), {"output", "query"}));
  CHECK(mentions(error({.output = p.key}), {"output", "key"}));
  CHECK(mentions(error({.output = p.value}), {"output", "value"}));
  CHECK(
      (same_tensor(p.query, query) && same_tensor(p.key, key) && same_tensor(p.value, value)));  // nothing was written
  Tensor<float, 4> output(1, 2, 4, 3);
  output.setConstant(7);
  CHECK(mentions(error({.output = {output.data(), shape.output(), {24, 0, 3, 1}}}),
                 {"output"}));  // both heads in one place
  CHECK(mentions(error({.output = {output.data(), shape.output(), {24, 12, 2, 1}}}), {"output"}));
  CHECK(mentions(error({.output = output, .logsumexp = {output.data(), shape.logsumexp()}}), {"logsumexp", "output"}));
  for (const float x : flat(output)) CHECK(x == 7);
  CHECK(error({.output = output}).empty());
}

TEMPLATE_TEST_CASE("semantics 20: weights, logsumexp and per-key sums come with the same fused call", "[semantics]",
                   float, double) {
  const auto p = plain_problem<TestType>({2, 4, 2, GENERATE(1, 70), 200, 6, 5});
  const auto found = everything(p).forward;
  const auto wanted = ReferenceProblem(in_double(p)).forward;
  CHECK(close_tensor(found.weights, wanted.weights));
  CHECK(close_tensor(found.logsumexp, wanted.logsumexp));
  CHECK(close_tensor(found.key_sums, wanted.key_sums));
  CHECK(extents(found.key_sums) == Extents<3>{2, 4, 200});
  CHECK(same_tensor(found.output, attend(p.query, p.key, p.value).output));  // asking changes no bit
  for (const int only : {0, 1, 2}) {
    const AttentionOptions<TestType> options{
        .return_weights = only == 0, .return_logsumexp = only == 1, .return_key_sums = only == 2};
    const auto one = attend(p.query, p.key, p.value, options);
    CHECK((only == 0 ? same_tensor(one.weights, found.weights) : one.weights.size() == 0));
    CHECK((only == 1 ? same_tensor(one.logsumexp, found.logsumexp) : one.logsumexp.size() == 0));
    CHECK((only == 2 ? same_tensor(one.key_sums, found.key_sums) : one.key_sums.size() == 0));
  }
}
