#pragma once
// Who runs the parts of a call. Results never depend on the executor: work is cut by shapes alone, and every part writes
// its own output (SEMANTICS 27).

#include <atomic>
#include <concepts>
#include <memory>
#include <type_traits>

#include <heed/core/view.hpp>

namespace heed::inline HEED_ABI {

/// A non-owning reference to a callable void(Index): what executors run.
class BodyRef {
 public:
  template <class F>
    requires(!std::same_as<std::remove_cvref_t<F>, BodyRef> && std::invocable<F&, Index>)
  BodyRef(F&& body)
      : object_(const_cast<void*>(static_cast<const void*>(std::addressof(body)))),
        call_([](void* object, Index i) { (*static_cast<std::remove_reference_t<F>*>(object))(i); }) {}
  void operator()(Index i) const { call_(object_, i); }

 private:
  void* object_;
  void (*call_)(void*, Index);
};

/// concurrency(): how many bodies may run at once. parallel_for(count, body): runs body(0) ... body(count - 1), each once,
/// in any order, and returns when all are done.
template <class E>
concept Executor = requires(E& executor, Index count, BodyRef body) {
  { executor.concurrency() } -> std::convertible_to<Index>;
  executor.parallel_for(count, body);
};

/// Everything in the calling thread.
struct Serial {
  Index concurrency() const { return 1; }
  void parallel_for(Index count, BodyRef body) const {
    for (Index i = 0; i < count; ++i) body(i);
  }
};

/// A non-owning reference to any executor, so that an executor's type instantiates no kernel.
class ExecutorRef {
 public:
  template <class E>
    requires(!std::same_as<std::remove_cvref_t<E>, ExecutorRef> && Executor<E>)
  ExecutorRef(E& executor)
      : object_(const_cast<void*>(static_cast<const void*>(std::addressof(executor)))),
        concurrency_([](void* object) { return static_cast<Index>(static_cast<E*>(object)->concurrency()); }),
        run_([](void* object, Index count, BodyRef body) { static_cast<E*>(object)->parallel_for(count, body); }) {}

  Index concurrency() const { return concurrency_(object_); }
  void parallel_for(Index count, BodyRef body) const { run_(object_, count, body); }

 private:
  void* object_;
  Index (*concurrency_)(void*);
  void (*run_)(void*, Index, BodyRef);
};

/// Whether so few tasks leave threads idle that cutting them further is worth it: less than four for each thread, and not
/// the same number for all.
constexpr bool too_few_tasks(Index tasks, Index threads) {
  return threads > 1 && tasks > 0 && tasks < 4 * threads && tasks % threads != 0;
}

/// Runs body(task, worker) for every task in [0, tasks): workers take the next task when they are free. worker is below
/// min(concurrency, tasks) and no two bodies with the same worker run at once, so scratch may be indexed by it.
template <class Body>
void for_each_task(ExecutorRef executor, Index tasks, Body&& body) {
  const Index workers = tasks < 2 ? tasks : (tasks < executor.concurrency() ? tasks : executor.concurrency());
  if (workers <= 1) {
    for (Index task = 0; task < tasks; ++task) body(task, Index{0});
    return;
  }
  std::atomic<Index> next{0};
  executor.parallel_for(workers, [&](Index worker) {
    for (Index task = next++; task < tasks; task = next++) body(task, worker);
  });
}

}  // namespace heed::inline HEED_ABI
