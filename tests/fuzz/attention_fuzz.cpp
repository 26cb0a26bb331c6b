// Attention calls with shapes, strides, masks and options from bytes: refused before any write, or the same bits as
// contiguous copies give, forward and backward, and nothing written between the rows of a strided output. Every buffer
// has exactly the elements that its view reaches, so that the address sanitizer sees one too many.

#include <fuzzer/FuzzedDataProvider.h>

#include <bit>
#include <cmath>
#include <limits>
#include <memory>
#include <numeric>
#include <vector>

#include <heed/attention/scaled_dot_product_backward.hpp>

#include "fuzzing.hpp"

using namespace heed_fuzz;
using heed::Extents;
using heed::Index;
using heed::Tensor;
using heed::View;

namespace {

constexpr float untouched = -1234.5F;

/// Choices from the fuzzer's bytes; all of them are 0 at their end.
class Dice {
 public:
  Dice(const std::uint8_t* data, std::size_t size) : bytes_(data, size) {}
  Index pick(Index low, Index high) { return bytes_.ConsumeIntegralInRange<Index>(low, high); }
  bool one_in(Index count) { return pick(0, count - 1) == count - 1; }
  /// Mostly a length of a few tiles' tails, now and then one more than a tile.
  Index length() { return one_in(8) ? pick(60, 140) : pick(0, 20); }
  /// Any number at all, or one near 0.
  Index number() { return one_in(4) ? bytes_.ConsumeIntegral<Index>() : pick(-3, 25); }
  template <class T>
  T real() {
    return one_in(3) ? std::bit_cast<T>(
                           bytes_.ConsumeIntegral<std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>>())
                     : static_cast<T>(pick(-20, 20)) / T(10);
  }
  std::uint64_t seed() { return static_cast<std::uint64_t>(pick(0, 255)); }

 private:
  FuzzedDataProvider bytes_;
};

void fill(std::vector<float>& numbers, Dice& dice) {
  heed::Rng rng{.seed = dice.seed(), .offset = 0};
  const bool wild = dice.one_in(6);
  for (float& x : numbers) {
    x = static_cast<float>(rng.uniform() * 4 - 2);
    if (wild && rng.below(9) == 0) x = rng.below(2) == 0 ? std::numeric_limits<float>::quiet_NaN() : INFINITY;
  }
}

/// A view with memory of exactly its reach.
template <class T, int Rank>
struct Strided {
  std::unique_ptr<std::vector<T>> memory = std::make_unique<std::vector<T>>();
  View<T, Rank> view;
};

/// Any order of axes, gaps, steps of 0 and backwards.
template <class T, int Rank>
Strided<T, Rank> any_layout(const Extents<Rank>& shape, Dice& dice) {
  Strided<T, Rank> result;
  Extents<Rank> order, steps;
  std::iota(order.begin(), order.end(), 0);
  if (dice.one_in(2)) {
    for (std::size_t i = 0; i < order.size(); ++i)
      std::swap(order[i], order[static_cast<std::size_t>(dice.pick(0, Rank - 1))]);
  }
  Index reach = 1, first = 0;
  for (std::size_t i = order.size(); i-- > 0;) {
    const auto axis = static_cast<std::size_t>(order[i]);
    const bool none = dice.one_in(6), back = dice.one_in(6);
    steps[axis] = none ? 0 : reach + (dice.one_in(6) ? 3 : 0);
    if (shape[axis] == 0) return {std::move(result.memory), View<T, Rank>(nullptr, shape)};
    const Index whole = steps[axis] * (shape[axis] - 1);
    reach += whole;
    if (back) first += whole, steps[axis] = -steps[axis];
  }
  result.memory->resize(static_cast<std::size_t>(reach));
  result.view = {result.memory->data() + first, shape, steps};
  return result;
}

template <class T, int Rank>
Tensor<std::remove_const_t<T>, Rank> copy_of(const View<T, Rank>& view) {
  Tensor<std::remove_const_t<T>, Rank> copy(view.extents);
  Extents<Rank> at{};
  for (Index i = 0; i < view.size(); ++i) {
    Index offset = 0;
    for (std::size_t axis = 0; axis < at.size(); ++axis) offset += at[axis] * view.strides[axis];
    copy.data()[i] = view.data[offset];
    for (std::size_t axis = at.size(); axis-- > 0;) {
      if (++at[axis] < view.extents[axis]) break;
      at[axis] = 0;
    }
  }
  return copy;
}

/// A whole call. What options view lives here.
struct Call {
  Strided<float, 4> query, key, value, d_output;
  std::vector<Index> key_lengths, query_lengths, offsets;
  Strided<Index, 2> query_ids, key_ids;
  Strided<std::uint8_t, 4> allowed;
  Strided<float, 4> bias;
  std::vector<float> slopes, sink;
  heed::AttentionShape shape;
  heed::AttentionOptions<float> options;
};

void choose_inputs(Call& call, Dice& dice) {
  heed::AttentionShape& s = call.shape;
  s = {.batch = dice.pick(0, 3), .kv_heads = dice.pick(0, 2)};
  s.heads = s.kv_heads * dice.pick(0, 3);
  s.query_length = dice.length();
  s.key_length = dice.one_in(3) ? s.query_length : dice.length();
  s.head_dim = dice.pick(0, 19);
  s.value_dim = dice.pick(0, 19);
  Extents<4> q = s.query(), k = s.key(), v = s.value();
  if (dice.one_in(16)) {  // one extent is another's
    Extents<4>* const which[] = {&q, &k, &v};
    (*which[dice.pick(0, 2)])[static_cast<std::size_t>(dice.pick(0, 3))] += dice.pick(-1, 1);
  }
  for (auto* extents : {&q, &k, &v}) {
    for (Index& extent : *extents) extent = std::max<Index>(extent, 0);
  }
  s = {q[0], q[1], k[1], q[2], k[2], q[3], v[3]};
  call.query = any_layout<float, 4>(q, dice);
  call.key = any_layout<float, 4>(k, dice);
  call.value = any_layout<float, 4>(v, dice);
  call.d_output = any_layout<float, 4>(s.output(), dice);
  for (auto* one : {&call.query, &call.key, &call.value, &call.d_output}) fill(*one->memory, dice);
  if (dice.one_in(32)) call.query.view.data = nullptr;
  if (dice.one_in(32))
    call.value.view.strides[static_cast<std::size_t>(dice.pick(0, 3))] = PTRDIFF_MAX / 2 + dice.pick(0, 9);
}

std::vector<Index> numbers(Index count, Index most, Dice& dice) {
  std::vector<Index> all(static_cast<std::size_t>(std::max<Index>(0, dice.one_in(16) ? count - 1 : count)));
  for (Index& n : all) n = dice.one_in(16) ? dice.number() : dice.pick(0, most);
  return all;
}

void choose_corner(Call& call, Dice& dice) {
  heed::Mask& mask = call.options.mask;
  switch (dice.pick(0, 6)) {
    case 1:
      mask = heed::causal();
      break;
    case 2:
      mask = heed::causal(heed::Corner::top_left);
      break;
    case 3:
      mask = heed::causal(heed::Corner::bottom_right);
      break;
    case 4:
      mask = heed::causal_offset(dice.number());
      break;
    case 5:
      call.offsets = numbers(call.shape.batch, 20, dice);
      for (Index& offset : call.offsets) offset = dice.number();
      mask = heed::causal_offset(call.offsets);
      break;
    default:
      break;
  }
  if (dice.one_in(3)) mask.window = heed::Window{dice.number(), dice.number()};
  if (dice.one_in(3)) mask.key_lengths = call.key_lengths = numbers(call.shape.batch, call.shape.key_length, dice);
  if (dice.one_in(3))
    mask.query_lengths = call.query_lengths = numbers(call.shape.batch, call.shape.query_length, dice);
}

/// The extents of something over the scores: some axes repeat, now and then one is wrong.
Extents<4> over_scores(const Call& call, Dice& dice) {
  Extents<4> extents = call.shape.weights();
  for (Index& extent : extents) {
    if (dice.one_in(3)) extent = 1;
    if (dice.one_in(64)) extent += 1;
  }
  return extents;
}

void choose_pairs(Call& call, Dice& dice) {
  if (dice.one_in(3)) {
    call.allowed = any_layout<std::uint8_t, 4>(over_scores(call, dice), dice);
    heed::Rng rng{.seed = dice.seed(), .offset = 0};
    for (std::uint8_t& byte : *call.allowed.memory) byte = static_cast<std::uint8_t>(rng.below(3));
    call.options.mask.boolean = View<const std::uint8_t, 4>(call.allowed.view);
  }
  if (dice.one_in(3)) {
    call.query_ids = any_layout<Index, 2>({call.shape.batch, call.shape.query_length}, dice);
    call.key_ids = any_layout<Index, 2>({call.shape.batch, call.shape.key_length}, dice);
    const Index kinds = dice.pick(1, 4);
    for (auto* ids : {&call.query_ids, &call.key_ids}) {
      for (std::size_t i = 0; i < ids->memory->size(); ++i) (*ids->memory)[i] = static_cast<Index>(i) % kinds;
    }
    call.options.mask.segments = heed::Segments{call.query_ids.view, call.key_ids.view};
  }
  if (dice.one_in(3)) {
    call.bias = any_layout<float, 4>(over_scores(call, dice), dice);
    fill(*call.bias.memory, dice);
    if (dice.one_in(3)) {
      for (std::size_t i = 0; i < call.bias.memory->size(); i += 3) (*call.bias.memory)[i] = -INFINITY;
    }
    call.options.bias = View<const float, 4>(call.bias.view);
  }
}

void choose_terms(Call& call, Dice& dice) {
  heed::AttentionOptions<float>& options = call.options;
  if (dice.one_in(3)) options.scale = dice.real<float>();
  if (dice.one_in(3)) options.softcap = dice.real<float>();
  for (auto [into, numbers] : {std::pair(&options.alibi_slopes, &call.slopes), std::pair(&options.sink, &call.sink)}) {
    if (!dice.one_in(3)) continue;
    numbers->resize(static_cast<std::size_t>(call.shape.heads + (dice.one_in(32) ? 1 : 0)));
    fill(*numbers, dice);
    *into = View<const float, 1>(numbers->data(), {static_cast<Index>(numbers->size())});
  }
  if (dice.one_in(3)) {
    options.dropout.probability = dice.one_in(4) ? dice.real<double>() : 0.25;
    if (!dice.one_in(8)) options.dropout.rng = heed::Rng{dice.seed(), 3};
  }
  options.return_weights = options.return_logsumexp = options.return_row_max = options.return_entropy =
      options.return_key_sums = true;
}

bool same(float a, float b) {
  return std::bit_cast<std::uint32_t>(a) == std::bit_cast<std::uint32_t>(b) || (std::isnan(a) && std::isnan(b));
}

template <int Rank>
void require_same(const Tensor<float, Rank>& found, const Tensor<float, Rank>& wanted, const char* what) {
  require(heed::extents(found) == heed::extents(wanted), what);
  for (Index i = 0; i < found.size(); ++i) require(same(found.data()[i], wanted.data()[i]), what);
}

/// attend_into with gaps between the rows: refused without a write, or `wanted` and nothing else is written.
void check_into(const Call& call, const Tensor<float, 4>* wanted, Dice& dice) {
  const Extents<4> shape = call.shape.output();
  const Index gap = dice.pick(0, 3), row = shape[3] + gap;
  Extents<4> steps{shape[1] * shape[2] * row, shape[2] * row, row, 1};
  std::vector<float> memory(static_cast<std::size_t>(shape[0] * shape[1] * shape[2] * row), untouched);
  const bool spoilt = dice.one_in(8) && shape[2] > 1;
  if (spoilt) steps[2] = 0;
  const View<float, 4> output(memory.data(), shape, steps);
  heed::Serial serial;
  heed::Workspace workspace(heed::workspace_bytes<float>(call.shape, call.options, 1));
  try {
    heed::attend_into(heed::AttentionOutputs<float>{.output = output}, call.query.view, call.key.view, call.value.view,
                      call.options, workspace, serial);
  } catch (const heed::Error& problem) {
    require_message(problem.what());
    require(wanted == nullptr || spoilt, "what attend takes, attend_into takes");
    for (const float x : memory) require(x == untouched, "a refused call writes nothing");
    return;
  }
  require(wanted != nullptr && (!spoilt || wanted->size() == 0), "what attend refuses, attend_into refuses");
  for (std::size_t i = 0; i < memory.size(); ++i) {
    const Index r = static_cast<Index>(i) / row, c = static_cast<Index>(i) % row;
    require(c < shape[3] ? same(memory[i], wanted->data()[r * shape[3] + c]) : memory[i] == untouched,
            "attend_into writes its rows and nothing between them");
  }
}

/// The same call over contiguous copies of query, key, value and d_output.
void check_copies(const Call& call, const heed::AttentionResult<float>& found) {
  heed::Serial serial;
  const Tensor<float, 4> q = copy_of(call.query.view), k = copy_of(call.key.view), v = copy_of(call.value.view);
  const auto wanted = heed::attend(q, k, v, call.options, serial);
  require_same(found.output, wanted.output, "strides change no bit of the output");
  require_same(found.weights, wanted.weights, "strides change no bit of the weights");
  require_same(found.logsumexp, wanted.logsumexp, "strides change no bit of logsumexp");
  require_same(found.key_sums, wanted.key_sums, "strides change no bit of the key sums");
  const auto grad = heed::attend_backward(call.d_output.view, call.query.view, call.key.view, call.value.view, found,
                                          call.options, serial);
  const auto grad_wanted = heed::attend_backward(copy_of(call.d_output.view), q, k, v, wanted, call.options, serial);
  require_same(grad.query, grad_wanted.query, "strides change no bit of d_query");
  require_same(grad.key, grad_wanted.key, "strides change no bit of d_key");
  require_same(grad.value, grad_wanted.value, "strides change no bit of d_value");
  require_same(grad.bias, grad_wanted.bias, "strides change no bit of d_bias");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Dice dice(data, size);
  Call call;
  choose_inputs(call, dice);
  choose_corner(call, dice);
  choose_pairs(call, dice);
  choose_terms(call, dice);
  heed::Serial serial;
  try {
    const auto found = heed::attend(call.query.view, call.key.view, call.value.view, call.options, serial);
    check_into(call, &found.output, dice);
    check_copies(call, found);
  } catch (const heed::Error& problem) {
    require_message(problem.what());
    check_into(call, nullptr, dice);
  }
  return 0;
}
