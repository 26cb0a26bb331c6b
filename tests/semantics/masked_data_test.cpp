// SEMANTICS 11: what is masked is never read into a result, forward or backward, and what is attended to reaches
// exactly what a textbook sum over the allowed pairs contains.

#include <heed/attention/attend_paged.hpp>
#include <heed/attention/key_value_cache.hpp>

#include "properties/moved_problem.hpp"
#include "properties/random_problem.hpp"
#include "properties/reference_problem.hpp"

using namespace heed;
using namespace heed_test;

namespace {

Size size_of(std::uint64_t seed) { return seed % 3 == 0 ? Size::decode : Size::tiles; }

/// Calls f(b, h, i, j) for every pair that is visible.
template <class T, class F>
void for_visible(const AttentionProblem<T>& p, const F& f) {
  for (Index b = 0; b < p.batch(); ++b)
    for (Index h = 0; h < p.heads(); ++h)
      for (Index i = 0; i < p.query_length(); ++i)
        for (Index j = 0; j < p.key_length(); ++j)
          if (visible(p, b, h, i, j)) f(b, h, i, j);
}

/// Poison in every key, value, query, upstream gradient and bias that no visible pair needs.
template <class T>
AttentionProblem<T> poisoned(const AttentionProblem<T>& p, T poison) {
  AttentionProblem<T> bad = p;
  for (Tensor<T, 4>* const x : {&bad.query, &bad.key, &bad.value, &bad.d_output}) x->setConstant(poison);
  for (T& x : flat(bad.bias)) x = x == -infinite<T> ? x : poison;  // -inf is itself a mask
  const auto keep_row = [](Tensor<T, 4>& to, const Tensor<T, 4>& from, Index b, Index h, Index t) {
    for (Index d = 0; d < to.dimension(3); ++d) to(b, h, t, d) = from(b, h, t, d);
  };
  for_visible(p, [&](Index b, Index h, Index i, Index j) {
    keep_row(bad.query, p.query, b, h, i), keep_row(bad.d_output, p.d_output, b, h, i);
    keep_row(bad.key, p.key, b, p.kv_head(h), j), keep_row(bad.value, p.value, b, p.kv_head(h), j);
    if (p.bias.size() == 0) return;
    const Extents<4> e = extents(p.bias);
    bad.bias(b % e[0], h % e[1], i % e[2], j % e[3]) = p.bias(b % e[0], h % e[1], i % e[2], j % e[3]);
  });
  return bad;
}

/// Names of the tensors in which NaN stands elsewhere than in `wanted`, or other numbers differ in a bit from `clean`.
template <class T>
std::string not_where_wanted(const Everything<T>& found, const ReferenceProblem& wanted, const Everything<T>& clean) {
  std::string names;
  for_each_tensor(
      [&](const char* name, const auto& a, const auto& b, const auto& c) {
        bool good = a.size() == b.size();
        for (Index n = 0; n < a.size() && good; ++n) {
          good = std::isnan(b.data()[n]) ? std::isnan(a.data()[n]) : same_bits(a.data()[n], c.data()[n]);
          if (!good)
            names += std::to_string(n) + " found " + std::to_string(a.data()[n]) + " textbook " +
                     std::to_string(b.data()[n]) + " clean " + std::to_string(c.data()[n]);
        }
        if (!good) names += std::string(name) + " ";
      },
      found, wanted, clean);
  return names;
}

/// One element of x becomes NaN.
template <class T>
void spoil(Tensor<T, 4>& x, std::uint64_t seed) {
  x.data()[Rng{seed, 3}.below(x.size())] = not_a_number<T>;
}

}  // namespace

TEMPLATE_TEST_CASE("semantics 11: masked NaN, infinities and huge numbers change no bit of any result", "[semantics]",
                   float, double) {
  const TestType poison = GENERATE(not_a_number<TestType>, infinite<TestType>, -infinite<TestType>, TestType(1e30));
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    const auto p = random_problem<TestType>(seed, size_of(seed));
    INFO("seed " << seed << ": " << description(p));
    CHECK(different(everything(poisoned(p, poison)), everything(p)) == "");
  }
}

TEMPLATE_TEST_CASE("semantics 11: NaN in attended data reaches what the textbook's sums contain, and no other bit",
                   "[semantics]", float, double) {
  const int input = GENERATE(0, 1, 2, 3, 4);
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    auto p = random_problem<TestType>(seed, size_of(seed));
    const auto clean = everything(p);
    Tensor<TestType, 4>* const all[] = {&p.query, &p.key, &p.value, &p.d_output, &p.bias};
    if (all[input]->size() == 0) continue;
    spoil(*all[input], seed);
    INFO("seed " << seed << ", input " << input << ": " << description(p));
    CHECK(not_where_wanted(everything(p), ReferenceProblem(in_double(p)), clean) == "");
  }
}

TEST_CASE("semantics 11: slots that a cache does not use hold anything", "[semantics]") {
  const auto p = plain_problem<float>({2, 4, 2, 1, 70, 8, 5});
  const auto wanted = attend(p.query, p.key, p.value, p.options());
  const auto bad = [](Tensor<float, 4> x) { return x.setConstant(not_a_number<float>), x; };
  KeyValueCache<float> cache({.batch = 2, .kv_heads = 2, .head_dim = 8, .value_dim = 5, .capacity = 300});
  cache.append(bad(p.key), bad(p.value));
  cache.append(bad(p.key), bad(p.value));
  cache.truncate(0);
  cache.append(p.key, p.value);
  CHECK(same_tensor(attend(p.query, cache.key(), cache.value(), p.options()).output, wanted.output));

  PagedKeyValueCache<float> pages(
      {.kv_heads = 2, .head_dim = 8, .value_dim = 5, .pages = 20, .page_size = GENERATE(16, 256)});
  const auto sample = [](const Tensor<float, 4>& x, Index b) {
    return View<const float, 3>(&x(b, 0, 0, 0), {2, 70, x.dimension(3)});
  };
  std::vector<Index> sequences;
  for (const bool good : {false, true}) {
    const Tensor<float, 4> key = good ? p.key : bad(p.key), value = good ? p.value : bad(p.value);
    for (const Index sequence : sequences) pages.release(sequence);
    sequences = {pages.add(), pages.add()};
    for (Index b = 0; b < 2; ++b) pages.append(sequences[std::size_t(b)], sample(key, b), sample(value, b));
  }
  AttentionOptions<float> options;
  CHECK(same_tensor(attend_paged(p.query, pages, sequences, options).output, wanted.output));
}
