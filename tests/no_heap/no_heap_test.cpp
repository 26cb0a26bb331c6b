// Calls into the caller's memory take neither heap nor locks with Serial: what an audio callback needs. Counted by
// replacements of malloc and of the locks (traps.hpp), from the first call on.

#include <heed/attention/bahdanau.hpp>
#include <heed/attention/key_value_cache.hpp>
#include <heed/attention/luong.hpp>
#include <heed/attention/paged_cache.hpp>
#include <heed/attention/rotary.hpp>
#include <heed/nn/gru_cell.hpp>

#include <condition_variable>
#include <cstdlib>
#include <mutex>
#include <new>
#include <shared_mutex>

#include "no_heap/traps.hpp"
#include "properties/random_problem.hpp"

using namespace heed;
using namespace heed_test;

namespace {

/// What a call takes; its results are compared with those of the same call without traps.
template <class Call>
int taken_by(const Call& call) {
  const Trap trap;
  call();
  return trap.total();
}

/// Memory for everything that attention and its backward give.
template <class T>
struct CallersMemory {
  Everything<T> all;
  AttentionShape shape;
  Workspace forward, backward;

  CallersMemory(const AttentionProblem<T>& p, const AttentionOptions<T>& options)
      : all(everything(p)),
        shape(attention_shape<T>(p.query, p.key, p.value)),
        forward(workspace_bytes<T>(shape, options, 1)),
        backward(backward_workspace_bytes<T>(shape, options, 1)) {
    for_each_tensor([](const char*, auto& x) { x.setConstant(T(7)); }, all);
  }
  AttentionOutputs<T> outputs() {
    AttentionResult<T>& f = all.forward;
    return {f.output, f.weights, f.logsumexp, f.row_max, f.entropy, f.key_sums};
  }
  AttentionGradientViews<T> gradients() {
    AttentionGradients<T>& g = all.gradients;
    AttentionGradientViews<T> views{g.query, g.key, g.value};
    if (g.bias.size() > 0) views.bias = g.bias;
    if (g.sink.size() > 0) views.sink = g.sink;
    return views;
  }
};

}  // namespace

TEST_CASE("the traps see heap memory and locks of every kind", "[no_heap]") {
  void* volatile kept = nullptr;  // so that no compiler leaves the memory out
  const auto heap = [&](const auto& call) {
    const Trap trap;
    call();
    return trap.heap() == 1 && trap.locks() == 0;
  };
  CHECK(heap([&] { kept = std::malloc(10), std::free(kept); }));
  CHECK(heap([&] { kept = std::calloc(10, 2), std::free(kept); }));
  CHECK(heap([&] { kept = std::realloc(nullptr, 10), std::free(kept); }));
  CHECK(heap([&] { kept = std::aligned_alloc(64, 128), std::free(kept); }));
  CHECK(heap([&] { kept = ::operator new(10), ::operator delete(kept); }));
  CHECK(
      heap([&] { kept = ::operator new (10, std::align_val_t{64}), ::operator delete (kept, std::align_val_t{64}); }));
  CHECK(heap([&] {
    Tensor<float, 1> tensor(100);
    kept = tensor.data();
  }));
  std::mutex mutex;
  std::shared_mutex shared;
  std::condition_variable condition;
  const auto locks = [](const auto& call) {
    const Trap trap;
    call();
    return trap.locks() == 1 && trap.heap() == 0;
  };
  CHECK(locks([&] { mutex.lock(), mutex.unlock(); }));
  CHECK(locks([&] {
    if (mutex.try_lock()) mutex.unlock();
  }));
  CHECK(locks([&] { shared.lock(), shared.unlock(); }));
  CHECK(locks([&] { shared.lock_shared(), shared.unlock_shared(); }));
  CHECK(locks([&] { condition.notify_all(); }));
}

TEMPLATE_TEST_CASE("attend_into and attend_backward_into take no heap and no lock, whatever the options", "[no_heap]",
                   float, double) {
  Serial serial;
  for (std::uint64_t seed = 1; seed <= 90; ++seed) {
    const auto p = random_problem<TestType>(seed, seed % 3 == 0   ? Size::decode
                                                  : seed % 3 == 1 ? Size::tiles
                                                                  : Size::small);
    INFO("seed " << seed << ": " << description(p));
    const auto wanted = everything(p);
    const AttentionOptions<TestType> options = p.options();
    CallersMemory<TestType> memory(p, options);
    const AttentionOutputs<TestType> outputs = memory.outputs();
    const AttentionGradientViews<TestType> gradients = memory.gradients();
    CHECK(taken_by([&] { attend_into(outputs, p.query, p.key, p.value, options, memory.forward, serial); }) == 0);
    CHECK(taken_by([&] {
            attend_backward_into(gradients, p.d_output, p.query, p.key, p.value, outputs, options, memory.backward,
                                 serial);
          }) == 0);
    CHECK(different(memory.all, wanted) == "");
  }
}

TEST_CASE("strided inputs are read without heap or locks too", "[no_heap]") {
  const auto p = plain_problem<float>({2, 4, 2, 70, 140, 9, 6});
  const AttentionOptions<float> options = p.options();
  CallersMemory<float> memory(p, options);
  const AttentionOutputs<float> outputs = memory.outputs();
  const AttentionGradientViews<float> gradients = memory.gradients();
  const auto backwards = [](const Tensor<float, 4>& x) {
    View<const float, 4> view(x);
    view.data += x.size() - 1;
    for (Index& stride : view.strides) stride = -stride;
    return view;
  };
  Serial serial;
  const auto query = backwards(p.query), key = backwards(p.key), value = backwards(p.value),
             d_output = backwards(p.d_output);
  CHECK(taken_by([&] {
          attend_into(outputs, query, key, value, options, memory.forward, serial);
          attend_backward_into(gradients, d_output, query, key, value, outputs, options, memory.backward, serial);
        }) == 0);
}

TEST_CASE("caches take steps without heap or locks as long as they have room", "[no_heap]") {
  const auto p = plain_problem<float>({2, 4, 2, 1, 1, 8, 5});
  KeyValueCache<float> cache({.batch = 2, .kv_heads = 2, .head_dim = 8, .value_dim = 5, .capacity = 64});
  KeyValueCache<float> rolling(
      {.batch = 2, .kv_heads = 2, .head_dim = 8, .value_dim = 5, .capacity = 64, .window = 16});
  PagedKeyValueCache<float> pages({.kv_heads = 2, .head_dim = 8, .value_dim = 5, .pages = 2, .page_size = 64});
  const Index sequence = pages.add();
  const View<const float, 3> key(p.key.data(), {2, 1, 8}), value(p.value.data(), {2, 1, 5});
  pages.append(sequence, key, value);  // takes the page
  AttentionOptions<float> options{.mask = causal(Corner::bottom_right) & rolling.window()};
  CallersMemory<float> memory(p, options);
  AttentionOutputs<float> outputs{.output = memory.all.forward.output};
  Serial serial;
  CHECK(taken_by([&] {
          for (Index t = 0; t < 63; ++t) {
            cache.append(p.key, p.value);
            pages.append(sequence, key, value);
          }
          for (Index t = 0; t < 500; ++t) {  // goes round several times
            rolling.append(p.key, p.value);
            attend_into(outputs, p.query, rolling.key(), rolling.value(), options, memory.forward, serial);
          }
          cache.truncate(3);
        }) == 0);
  CHECK(rolling.position() == 500);
  CHECK(pages.length(sequence) == 64);
}

TEST_CASE("rotary embeddings and recurrent steps take no heap and no lock", "[no_heap]") {
  const auto x = random_tensor<float, 4>({2, 3, 20, 16}, 1);
  Tensor<float, 4> out(2, 3, 20, 16);
  const RotaryTable<float> table = rotary_table<float>(20, 12);
  Rng rng{1, 2};
  const GruCell<float> cell({.input_dim = 6, .hidden_dim = 8}, rng);
  const auto input = random_tensor<float, 2>({3, 6}, 2);
  Tensor<float, 2> state = random_tensor<float, 2>({3, 8}, 3);
  Workspace workspace(cell.step_bytes(3));
  Serial serial;
  CHECK(taken_by([&] {
          rotary_embedding_into<float>(out, x, table, {.pairs = RotaryPairs::interleaved}, serial);
          rotary_embedding_into<float>(out, out, table, {}, serial);
          rotary_embedding_backward_into<float>(out, x, table, {}, serial);
          cell.step_into(as_matrix(state), as_matrix(input), as_matrix(std::as_const(state)), workspace);
        }) == 0);
}

TEST_CASE("reads of a memory take no heap and no lock once the thread's scratch has grown", "[no_heap]") {
  Rng rng{1, 2};
  const auto keys = random_tensor<float, 3>({2, 30, 6}, 1), state = random_tensor<float, 3>({2, 1, 6}, 2);
  const BahdanauAttention<float> additive({.units = 8, .query_dim = 6, .key_dim = 6}, rng);
  const LuongAttention<float> general({.score = LuongScore::general, .query_dim = 6, .key_dim = 6}, rng);
  const auto projected = additive.project(keys), weighted = general.project(keys);
  Tensor<float, 3> context(2, 1, 6), weights(2, 1, 30);
  const std::vector<Index> lengths{30, 11};
  const ReadMask mask(lengths);
  Workspace workspace(additive.workspace_bytes(2) + general.workspace_bytes(2));
  Serial serial;
  const auto read = [&] {
    additive.forward_into({context, weights}, state, projected, keys, mask, workspace, serial);
    general.forward_into({context, weights}, state, weighted, keys, mask, workspace, serial);
  };
  read();
  CHECK(taken_by(read) == 0);
}
