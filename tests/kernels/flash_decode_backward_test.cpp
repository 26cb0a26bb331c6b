#include <heed/kernels/flash_decode_backward.hpp>

#include <heed/kernels/flash_backward.hpp>

#include <heed/kernels/flash_backward.hpp>

#include "kernels/flash_testing.hpp"
#include "support/catch.hpp"

using namespace heed;
using namespace heed_test;

namespace {

/// Heads with the keys and values of the first, and their gradients.
template <class T>
struct Heads {
  std::vector<std::unique_ptr<FlashProblem<T>>> in;
  std::vector<std::vector<T>> d_output, d_query;
  std::vector<T> d_key, d_value, d_bias;
  std::vector<T> d_sink = filled<T>(8, T(0));

  Heads(int count, Index keys, Index head_dim, Index value_dim)
      : d_key(filled<T>(keys * head_dim, T(0))), d_value(filled<T>(keys * value_dim, T(0))) {
    for (int r = 0; r < count; ++r) {
      in.push_back(std::make_unique<FlashProblem<T>>(1, keys, head_dim, value_dim));
      in[std::size_t(r)]->query = random_numbers<T>(head_dim, 10 + unsigned(r), 2);
      in[std::size_t(r)]->head.query.data = in[std::size_t(r)]->query.data();
      in[std::size_t(r)]->head.key = in[0]->head.key, in[std::size_t(r)]->head.value = in[0]->head.value;
      d_output.push_back(random_numbers<T>(value_dim, 30 + unsigned(r)));
      d_query.push_back(filled<T>(head_dim, T(42)));
    }
  }
  FlashProblem<T>& first() { return *in[0]; }
  template <class F>
  void each_head(const F& f) {
    for (auto& one : in) f(one->head);
  }
  FlashGradients<T> gradients(std::size_t r) {
    FlashProblem<T>& p = *in[r];
    FlashGradients<T> grad{.d_output = {d_output[r].data(), 1, p.value_dim, p.value_dim, 1},
                           .output = matrix(p.output, 1, p.value_dim),
                           .logsumexp = p.logsumexp.data(),
                           .d_query = matrix(d_query[r], 1, p.head_dim),
                           .d_key = matrix(d_key, p.keys, p.head_dim),
                           .d_value = matrix(d_value, p.keys, p.value_dim)};
    if (p.head.sink) grad.d_sink = &d_sink[r];
    if (!d_bias.empty()) grad.d_bias = d_bias.data(), grad.d_bias_key_step = 1;
    return grad;
  }
  void forward() {
    for (auto& one : in) one->run();
  }
  static auto take(Workspace& workspace) {
    return [&workspace]<class P>(P*& piece, Index count) { piece = workspace.take<P>(count); };
  }

  /// By the block kernel: what gradients are held against.
  void run_blocks() {
    forward();
    Workspace workspace(std::size_t{1} << 20);
    const auto scratch = FlashBackwardScratch<T>::make(first().head_dim, first().value_dim, take(workspace));
    for (std::size_t r = 0; r < in.size(); ++r) {
      std::fill(d_query[r].begin(), d_query[r].end(), T(0));
      flash_backward(in[r]->head, gradients(r), scratch);
      for (T& x : d_query[r]) x *= in[r]->head.scale;
    }
    for (T& x : d_key) x *= first().head.scale;
  }
  /// By the one-query kernel, some heads at a time, with keys cut at `cuts`: nowhere writes d_query itself.
  void run(const std::vector<Index>& cuts = {}) {
    forward();
    std::fill(d_key.begin(), d_key.end(), T(42)), std::fill(d_value.begin(), d_value.end(), T(42));
    Workspace workspace(std::size_t{1} << 20);
    const auto scratch = FlashDecodeBackwardScratch<T>::make(first().head_dim, first().value_dim, take(workspace));
    const Index blocks = (first().keys + flash_detail::flash_keys - 1) / flash_detail::flash_keys;
    std::vector<T> parts = filled<T>(Index(in.size()) * blocks * first().head_dim, T(42));
    for (std::size_t begin = 0; begin < in.size(); begin += std::size_t(flash_detail::decode_heads)) {
      const std::size_t end = std::min(in.size(), begin + std::size_t(flash_detail::decode_heads));
      FlashDecodeBackward<T> kernel(scratch, begin == 0 ? Accumulate::no : Accumulate::yes,
                                    end == in.size() ? first().head.scale : T(1));
      for (std::size_t r = begin; r < end; ++r) kernel.add(in[r]->head, gradients(r));
      if (cuts.empty()) flash_decode_backward(kernel, {0, first().keys}, static_cast<T*>(nullptr));
      T* const own = parts.data() + Index(begin) * blocks * first().head_dim;
      for (std::size_t c = 0; c + 1 < cuts.size(); ++c) flash_decode_backward(kernel, {cuts[c], cuts[c + 1]}, own);
    }
    for (std::size_t r = 0; r < in.size() && !cuts.empty(); ++r)
      for (Index d = 0; d < first().head_dim; ++d) {
        T sum = 0;
        for (Index b = 0; b < blocks; ++b) sum += parts[std::size_t((Index(r) * blocks + b) * first().head_dim + d)];
        d_query[r][std::size_t(d)] = sum * first().head.scale;
      }
  }
  bool same_bits_as(const Heads& other) const {
    bool same = all_same_bits(d_key, other.d_key) && all_same_bits(d_value, other.d_value) &&
                all_same_bits(d_bias, other.d_bias) && all_same_bits(d_sink, other.d_sink);
    for (std::size_t r = 0; r < in.size(); ++r) same = same && all_same_bits(d_query[r], other.d_query[r]);
    return same;
  }
};

}  // namespace

TEMPLATE_TEST_CASE("flash_decode_backward has the bits of the block path over a grid with tails", "[kernels]", float,
                   double) {
  const int count = GENERATE(1, 2, 3, 4, 9);
  const Index keys = GENERATE(1, 127, 129, 300), head_dim = GENERATE(1, 21, 64);
  Heads<TestType> found(count, keys, head_dim, 17), wanted(count, keys, head_dim, 17);
  const TestType scale = GENERATE(TestType(0.4), TestType(-0.7), TestType(1e6));
  for (Heads<TestType>* heads : {&found, &wanted}) heads->each_head([&](auto& head) { head.scale = scale; });
  wanted.run_blocks();
  found.run();
  CHECK(found.same_bits_as(wanted));
}

TEMPLATE_TEST_CASE("flash_decode_backward has the bits of the block path with every term and mask", "[kernels]", float,
                   double) {
  Heads<TestType> found(3, 300, 9, 20), wanted(3, 300, 9, 20);
  const auto bias = random_numbers<TestType>(300, 5, 2);
  const TestType sink = TestType(0.3);
  std::vector<std::uint8_t> allowed(300, 1);
  for (std::size_t j = 0; j < 300; j += 7) allowed[j] = 0;
  std::vector<Index> query_segment{1}, key_segments(300, 1);
  for (std::size_t j = 140; j < 260; ++j) key_segments[j] = 2;
  const int which = GENERATE(range(0, 8));
  for (Heads<TestType>* heads : {&found, &wanted}) {
    if (which == 1) heads->d_bias = filled<TestType>(300, TestType(0));
    heads->each_head([&](FlashHead<TestType>& head) {
      if (which == 0) head.terms.softcap = 2;
      if (which == 1) head.terms.bias = bias.data(), head.terms.bias_key_step = 1, head.terms.softcap = 3;
      if (which == 2) head.terms.alibi_slope = TestType(0.1), head.terms.alibi_offset = 250;
      if (which == 3) head.terms.allowed = allowed.data(), head.terms.allowed_key_step = 1, head.sink = &sink;
      if (which == 4) head.terms.query_segments = query_segment.data(), head.terms.key_segments = key_segments.data();
      if (which == 5) head.band.ahead = 270, head.band.behind = -30;
      if (which == 6) head.band.query_end = 0, head.sink = &sink;
      if (which == 7) head.dropout = {CoordinateBits(Rng{3, 4}), 1, 2, probability_threshold(0.5), TestType(2)};
    });
  }
  wanted.run_blocks();
  found.run();
  CHECK(found.same_bits_as(wanted));
}

TEMPLATE_TEST_CASE("keys may be cut into runs anywhere between blocks without changing a bit", "[kernels]", float,
                   double) {
  const int count = GENERATE(2, 6);
  Heads<TestType> whole(count, 500, 9, 20), cut(count, 500, 9, 20);
  const TestType sink = TestType(0.3);
  for (Heads<TestType>* heads : {&whole, &cut})
    heads->each_head([&](auto& head) { head.sink = &sink, head.band.behind = -130, head.band.ahead = 380; });
  whole.run();
  const auto cuts = GENERATE(values<std::vector<Index>>({{0, 500}, {0, 128, 500}, {0, 128, 256, 384, 500}}));
  cut.run(cuts);
  CHECK(cut.same_bits_as(whole));
}

TEMPLATE_TEST_CASE("in flash_decode_backward masked pairs pass nothing, whatever they hold", "[kernels]", float,
                   double) {
  Heads<TestType> clean(3, 300, 9, 20), dirty(3, 300, 9, 20);
  const auto poison =
      GENERATE(not_a_number<TestType>, infinite<TestType>, std::numeric_limits<TestType>::max(), TestType(7));
  std::vector<std::uint8_t> allowed(300, 1), none(300, 0);
  allowed[20] = allowed[140] = 0;
  for (Heads<TestType>* heads : {&clean, &dirty}) {
    heads->each_head([&](FlashHead<TestType>& head) {
      head.terms.allowed = allowed.data(), head.terms.allowed_key_step = 1, head.band.key_end = 290;
    });
    heads->in[1]->head.terms.allowed = none.data();  // a head that sees nothing
  }
  for (const Index j : {20, 140, 290, 299}) {
    std::fill_n(dirty.first().key.begin() + j * 9, 9, poison);
    std::fill_n(dirty.first().value.begin() + j * 20, 20, poison);
  }
  if (GENERATE(false, true)) {
    std::fill(dirty.in[1]->query.begin(), dirty.in[1]->query.end(), poison);
    std::fill(dirty.d_output[1].begin(), dirty.d_output[1].end(), poison);
  }
  clean.run();
  dirty.run();
  CHECK(dirty.same_bits_as(clean));
  for (const TestType x : clean.d_query[1]) CHECK(x == 0);
  SECTION("a NaN upstream reaches the keys that its query sees, and no other") {
    dirty.d_output[2][3] = not_a_number<TestType>;
    dirty.run();
    for (Index j = 0; j < 300; ++j) {
      CHECK(std::isnan(dirty.d_value[std::size_t(j * 20 + 3)]) == (allowed[std::size_t(j)] && j < 290));
      CHECK(std::isnan(dirty.d_key[std::size_t(j * 9)]) == (allowed[std::size_t(j)] && j < 290));
    }
    CHECK(std::isnan(dirty.d_query[2][0]));
    CHECK(all_same_bits(dirty.d_query[0], clean.d_query[0]));
  }
}
