#include <heed/kernels/flash_decode.hpp>

#include "kernels/flash_testing.hpp"
#include "support/catch.hpp"

using namespace heed;
using namespace heed_test;

namespace {

template <class T>
void decode(std::initializer_list<FlashProblem<T>*> heads) {
  Workspace workspace(std::size_t{1} << 21);
  FlashDecode<T> kernel;
  for (FlashProblem<T>* p : heads) {
    FlashOutputs<T> out{.output = matrix(p->output, 1, p->value_dim), .logsumexp = p->logsumexp.data()};
    if (!p->weights.empty()) out.weights = matrix(p->weights, 1, p->keys);
    kernel.add(p->head, out);
  }
  const FlashProblem<T>& first = **heads.begin();
  flash_decode(kernel, FlashDecodeScratch<T>::make(
                           first.head_dim, first.value_dim,
                           [&]<class P>(P*& piece, Index count) { piece = workspace.take<P>(count); }));
}

}  // namespace

TEMPLATE_TEST_CASE("flash_decode matches the textbook over a grid with tails", "[kernels]", float, double) {
  FlashProblem<TestType> problem(1, GENERATE(1, 7, 255, 257, 1025, 2600), GENERATE(1, 21, 64), GENERATE(1, 17, 64));
  problem.weights = filled<TestType>(problem.keys, TestType(42));
  problem.head.scale = GENERATE(TestType(0.4), TestType(-3));
  decode<TestType>({&problem});
  CHECK(problem.matches_textbook());
}

TEMPLATE_TEST_CASE("flash_decode matches the textbook in every band, with a bias and a mask", "[kernels]", float,
                   double) {
  FlashProblem<TestType> problem(1, 600, 8, 6);
  problem.weights = filled<TestType>(600, TestType(42));
  problem.head.band.ahead = GENERATE(ScoreBand::unbounded, 300);
  problem.head.band.key_end = GENERATE(0, 512, 600);
  std::vector<std::uint8_t> allowed(600, 1);
  for (std::size_t j = 0; j < 600; j += 3) allowed[j] = 0;
  if (GENERATE(false, true)) problem.head.terms = {.allowed = allowed.data(), .allowed_key_step = 1};
  decode<TestType>({&problem});
  CHECK(problem.matches_textbook());
}

TEMPLATE_TEST_CASE("heads side by side have the bits of heads on their own", "[kernels]", float, double) {
  FlashProblem<TestType> a(1, 300, 9, 20), b(1, 300, 9, 20), c(1, 300, 9, 20);
  for (TestType& x : b.query) x = -x;
  b.head.key = a.head.key, b.head.value = a.head.value;
  decode<TestType>({&b});
  const auto alone = b.output;
  const auto alone_sum = b.logsumexp;
  decode<TestType>({&a, &b, &c});
  CHECK(all_same_bits(b.output, alone));
  CHECK(all_same_bits(b.logsumexp, alone_sum));
}

TEMPLATE_TEST_CASE("chunks of keys may be computed in any order and joined later without changing a bit", "[kernels]",
                   float, double) {
  FlashProblem<TestType> whole(1, 2600, 9, 20), cut(1, 2600, 9, 20);
  const TestType sink = TestType(0.3);
  for (FlashProblem<TestType>* p : {&whole, &cut}) {
    p->weights = filled<TestType>(2600, TestType(42));
    p->head.band.behind = -GENERATE(0, 1030, 1100);  // the first chunk may be empty
    p->head.band.key_end = 2590;
    p->head.terms.softcap = GENERATE(TestType(0), TestType(2));
    if (GENERATE(false, true)) p->head.sink = &sink;
    p->head.scale = GENERATE(TestType(0.4), TestType(1e6));  // the latter's exponents lose their fraction
  }
  cut.head.band = whole.head.band, cut.head.terms = whole.head.terms, cut.head.sink = whole.head.sink;
  cut.head.scale = whole.head.scale;
  decode<TestType>({&whole});
  Workspace workspace(std::size_t{1} << 21);
  const auto take = [&]<class P>(P*& piece, Index count) { piece = workspace.take<P>(count); };
  const auto scratch = FlashDecodeScratch<TestType>::make(9, 20, take);
  const auto kernel = [&] {
    FlashDecode<TestType> one;
    one.add(cut.head, {.output = matrix(cut.output, 1, 20),
                       .logsumexp = cut.logsumexp.data(),
                       .weights = matrix(cut.weights, 1, 2600)});
    return one;
  };
  const Index size = flash_detail::decode_heads * flash_detail::decode_part_size(20);
  const Index chunks = flash_detail::decode_chunks(2600);
  auto parts = filled<TestType>(chunks * size, TestType(42));
  for (Index c = chunks; c-- > 0;) {
    auto one = kernel();
    flash_decode_chunk(one, scratch, c, parts.data() + c * size);
  }
  auto one = kernel();
  flash_decode_join(one, scratch, parts.data());
  CHECK(all_same_bits(cut.output, whole.output));
  CHECK(all_same_bits(cut.logsumexp, whole.logsumexp));
  CHECK(all_same_bits(cut.weights, whole.weights));
}

TEMPLATE_TEST_CASE("unused slots of a cache and masked keys change no bit", "[kernels]", float, double) {
  const Index length = GENERATE(1, 63, 255, 256, 257, 300, 1024, 1025, 2300);
  const auto poison = GENERATE(TestType(7), not_a_number<TestType>, infinite<TestType>);
  FlashProblem<TestType> cache(1, 2400, 9, 20), alone(1, length, 9, 20);
  std::vector<std::uint8_t> allowed(2400, 1);
  if (length > 30) allowed[20] = 0;
  for (FlashProblem<TestType>* p : {&cache, &alone}) {
    p->head.terms = {.allowed = allowed.data(), .allowed_key_step = 1};
    p->head.band.key_end = length;
  }
  for (auto [x, y] : {std::pair{&cache.key, &alone.key}, {&cache.value, &alone.value}})
    std::fill(std::copy(y->begin(), y->end(), x->begin()), x->end(), poison);
  if (length > 30) {
    std::fill_n(cache.key.begin() + 20 * 9, 9, poison);
    std::fill_n(cache.value.begin() + 20 * 20, 20, poison);
  }
  decode<TestType>({&cache});
  decode<TestType>({&alone});
  CHECK(all_same_bits(cache.output, alone.output));
  CHECK(all_same_bits(cache.logsumexp, alone.logsumexp));
}
