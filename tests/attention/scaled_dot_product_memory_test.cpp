// Where the numbers lie: any alignment, nothing read behind the last element, distances beyond 2^31 elements, calls from
// inside a worker.

#include <heed/attention/scaled_dot_product_backward.hpp>

#include <sys/mman.h>
#include <unistd.h>
#if defined(__SSE__)
#include <xmmintrin.h>
#endif

#include <algorithm>
#include <cmath>

#include "attention/attention_testing.hpp"

using namespace heed;
using namespace heed_test;

namespace {

/// Virtual memory, of which only what is touched exists.
class Mapping {
 public:
  explicit Mapping(std::size_t bytes) : bytes_(bytes) {
    memory_ = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    REQUIRE(memory_ != MAP_FAILED);
  }
  ~Mapping() { ::munmap(memory_, bytes_); }
  Mapping(const Mapping&) = delete;
  std::byte* data() const { return static_cast<std::byte*>(memory_); }

 private:
  std::size_t bytes_;
  void* memory_;
};

/// A copy of a tensor whose last element is the last one before memory that may not be touched.
template <class T>
class Guarded {
 public:
  explicit Guarded(const Tensor<T, 4>& x) : mapping_(room(x) + page()), extents_(extents(x)) {
    data_ = reinterpret_cast<T*>(mapping_.data() + room(x)) - x.size();
    std::copy_n(x.data(), x.size(), data_);
    REQUIRE(::mprotect(mapping_.data() + room(x), page(), PROT_NONE) == 0);
  }
  operator View<const T, 4>() const { return {data_, extents_}; }

 private:
  static std::size_t page() { return static_cast<std::size_t>(::sysconf(_SC_PAGESIZE)); }
  static std::size_t room(const Tensor<T, 4>& x) {
    return (static_cast<std::size_t>(x.size()) * sizeof(T) / page() + 1) * page();
  }
  Mapping mapping_;
  Extents<4> extents_;
  T* data_;
};

template <class T>
struct Operands {
  Tensor<T, 4> query, key, value, d_output;
  Operands(Index length, Index width)
      : query(random_tensor<T, 4>({1, 2, length, width}, 1)),
        key(random_tensor<T, 4>({1, 1, length, width}, 2)),
        value(random_tensor<T, 4>({1, 1, length, width}, 3)),
        d_output(random_tensor<T, 4>({1, 2, length, width}, 4)) {}
};

}  // namespace

TEMPLATE_TEST_CASE("A27: no byte behind an input's end is read, whatever the tail", "[attention]", float, double) {
  const Index width = GENERATE(Index{1}, lanes<TestType> - 1, lanes<TestType>, lanes<TestType> + 1, 2 * lanes<TestType> + 3);
  const Index length = GENERATE(1, 3, 66);
  const Operands<TestType> in(length, std::max<Index>(width, 1));
  const Guarded<TestType> query(in.query), key(in.key), value(in.value), d_output(in.d_output);
  const View<const TestType, 4> q = query, k = key, v = value, d = d_output;
  const AttentionOptions<TestType> options{.mask = causal(), .return_logsumexp = true};
  const auto found = attend(q, k, v, options), wanted = attend(in.query, in.key, in.value, options);
  CHECK(same_tensor(found.output, wanted.output));
  CHECK(same_tensor(attend_backward(d, q, k, v, found, options).key,
                    attend_backward(in.d_output, in.query, in.key, in.value, wanted, options).key));
}

TEST_CASE("A21: inputs and outputs at every alignment of their elements give the same bits", "[attention]") {
  const Operands<float> in(17, 19);
  const auto wanted = scaled_dot_product_attention(in.query, in.key, in.value);
  for (Index shift = 0; shift < 16; ++shift) {
    const auto moved = [shift](const Tensor<float, 4>& x) {
      std::vector<float> memory(static_cast<std::size_t>(x.size() + 16));
      std::copy_n(x.data(), x.size(), memory.data() + shift);
      return memory;
    };
    const std::vector<float> q = moved(in.query), k = moved(in.key), v = moved(in.value);
    std::vector<float> out(static_cast<std::size_t>(wanted.size() + 16), 42.f);
    Workspace workspace(1 << 20);
    Serial serial;
    attend_into(AttentionOutputs<float>{.output = {out.data() + shift, extents(wanted)}},
                View<const float, 4>(q.data() + shift, extents(in.query)),
                View<const float, 4>(k.data() + shift, extents(in.key)),
                View<const float, 4>(v.data() + shift, extents(in.value)), {}, workspace, serial);
    CHECK(all_same_bits(std::span(out).subspan(static_cast<std::size_t>(shift), static_cast<std::size_t>(wanted.size())),
                        flat(wanted)));
    CHECK(std::count(out.begin(), out.end(), 42.f) == 16);
  }
}

TEST_CASE("A28: distances beyond 2^31 elements are followed in 64 bits", "[attention]") {
  const Index far = (Index{1} << 31) + 1;
  const Operands<float> in(5, 6);
  const Mapping mapping(static_cast<std::size_t>(far + 5 * 6) * sizeof(float));
  auto* const memory = reinterpret_cast<float*>(mapping.data());
  std::copy_n(in.key.data(), 30, memory);
  std::copy_n(in.value.data(), 30, memory + far);
  const View<const float, 4> both(memory, {2, 1, 5, 6}, {far, 0, 6, 1});
  Tensor<float, 4> query(2, 2, 5, 6), joined(2, 1, 5, 6);
  for (const Index b : {0, 1}) query.chip(b, 0) = in.query.chip(0, 0);
  joined.chip(0, 0) = in.key.chip(0, 0);
  joined.chip(1, 0) = in.value.chip(0, 0);
  CHECK(same_tensor(scaled_dot_product_attention(query, both, both), scaled_dot_product_attention(query, joined, joined)));
}

TEST_CASE("A32: a call from inside a worker of the same pool ends, with the same bits", "[attention]") {
  const Operands<float> in(130, 16);
  const auto wanted = scaled_dot_product_attention(in.query, in.key, in.value);
  ThreadPool pool(3);
  std::vector<Tensor<float, 4>> found(6);
  pool.parallel_for(6, [&](Index i) {
    found[static_cast<std::size_t>(i)] = scaled_dot_product_attention(in.query, in.key, in.value, {}, pool);
  });
  for (const Tensor<float, 4>& one : found) CHECK(same_tensor(one, wanted));
}

TEST_CASE("B23: subnormal inputs stay finite and within tolerance, also where the caller flushes them to zero", "[attention]") {
  Operands<float> in(9, 8);
  in.query = in.query * 1e-39f;
  in.value = in.value * 1e-39f;
  const auto found = attend(in.query, in.key, in.value, {.return_weights = true});
  for (const float weight : flat(found.weights)) CHECK(weight == Approx(1.0 / 9).epsilon(1e-5));
  for (const float x : flat(found.output)) CHECK((std::isfinite(x) && std::abs(x) < 1.1e-39f));
#if defined(__SSE__)
  constexpr unsigned flush_and_zero = 0x8040;
  const unsigned before = _mm_getcsr();
  _mm_setcsr(before | flush_and_zero);
  Serial serial;
  const auto flushed = attend(in.query, in.key, in.value, {.return_weights = true}, serial);
  const unsigned after = _mm_getcsr();
  _mm_setcsr(before);
  CHECK((after & flush_and_zero) == flush_and_zero);
  CHECK((after & ~0x3Fu) == ((before | flush_and_zero) & ~0x3Fu));  // all but the flags that arithmetic raises
  for (const float weight : flat(flushed.weights)) CHECK(weight == Approx(1.0 / 9).epsilon(1e-5));
  for (const float x : flat(flushed.output)) CHECK((std::isfinite(x) && std::abs(x) < 1.1e-39f));
#endif
}
