#include <heed/core/executor.hpp>

#include <array>
#include <atomic>
#include <thread>
#include <vector>

#include "support/catch.hpp"

using heed::ExecutorRef;
using heed::Index;

namespace {

/// A user's own executor: a new thread per part, last part first.
struct ThreadPerPart {
  int calls = 0;
  int concurrency() const { return 3; }
  void parallel_for(Index count, heed::BodyRef body) {
    ++calls;
    std::vector<std::thread> threads;
    for (Index i = count; i-- > 0;) threads.emplace_back([body, i] { body(i); });
    for (std::thread& thread : threads) thread.join();
  }
};

struct NoParallelFor {
  Index concurrency() const { return 1; }
};

static_assert(heed::Executor<heed::Serial>);
static_assert(heed::Executor<ThreadPerPart>);
static_assert(heed::Executor<ExecutorRef>);
static_assert(!heed::Executor<NoParallelFor>);
static_assert(!heed::Executor<int>);

}  // namespace

TEST_CASE("Serial runs the parts in order in the calling thread", "[core]") {
  heed::Serial serial;
  std::vector<Index> order;
  const auto self = std::this_thread::get_id();
  ExecutorRef(serial).parallel_for(5, [&](Index i) {
    CHECK(std::this_thread::get_id() == self);
    order.push_back(i);
  });
  CHECK(order == std::vector<Index>{0, 1, 2, 3, 4});
  CHECK(ExecutorRef(serial).concurrency() == 1);
  const heed::Serial constant;
  ExecutorRef(constant).parallel_for(1, [&](Index i) { order.push_back(i); });
  CHECK(order.size() == 6);
}

TEST_CASE("A user's type is an executor, used by reference", "[core]") {
  ThreadPerPart executor;
  const ExecutorRef reference = executor;
  std::array<std::atomic<int>, 9> runs{};
  reference.parallel_for(9, [&](Index i) { ++runs[std::size_t(i)]; });
  for (const auto& times : runs) CHECK(times == 1);
  CHECK(reference.concurrency() == 3);
  CHECK(executor.calls == 1);
}

TEST_CASE("for_each_task runs every task once and never one worker twice at a time", "[core]") {
  ThreadPerPart executor;
  const Index tasks = GENERATE(0, 1, 2, 3, 50);
  std::vector<std::atomic<int>> runs(static_cast<std::size_t>(tasks));
  std::array<std::atomic<int>, 3> busy{};
  std::atomic<int> clashes{0};
  heed::for_each_task(executor, tasks, [&](Index task, Index worker) {
    if (++busy.at(std::size_t(worker)) != 1) ++clashes;
    ++runs[std::size_t(task)];
    std::this_thread::yield();
    --busy[std::size_t(worker)];
  });
  for (const auto& times : runs) CHECK(times == 1);
  CHECK(clashes == 0);
  CHECK(executor.calls == (tasks > 1 ? 1 : 0));
}
