#pragma once
// The only place that makes threads: an Executor over Eigen's work-stealing pool, and the process-wide default one.

#include <algorithm>
#include <atomic>
#include <charconv>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <forward_list>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>

#if defined(__linux__)
#include <sched.h>
#endif
#if __has_include(<Eigen/ThreadPool>)  // where Eigen 5 moved it
#include <Eigen/ThreadPool>
#else
#include <unsupported/Eigen/CXX11/ThreadPool>
#endif

#include <heed/core/check.hpp>
#include <heed/core/executor.hpp>

namespace heed::inline HEED_ABI {

/// The CPUs this process may use: its affinity mask on Linux, all of the machine elsewhere. At least 1.
inline Index usable_cpus() {
#if defined(__linux__)
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof set, &set) == 0 && CPU_COUNT(&set) > 0) return CPU_COUNT(&set);
#endif
  return std::max<Index>(1, static_cast<Index>(std::thread::hardware_concurrency()));
}

/// The number of threads that a request stands for: 0 is automatic, a negative one is refused, and more than any work
/// could use is cut, so that 10^6 starts no 10^6 threads.
inline Index resolve_threads(Index requested) {
  check(requested >= 0,
        [&] { return message({"threads: ", requested, ", wanted 0 (automatic) or a positive number"}); });
  const Index most = std::max<Index>(64, 4 * usable_cpus());
  return requested == 0 ? usable_cpus() : std::min(requested, most);
}

/// An Executor over Eigen::ThreadPool. The calling thread takes part, so ThreadPool(n) starts n - 1 threads. A
/// parallel_for from inside a body runs serially. The first exception of a body is thrown again in the calling thread
/// after all others have ended; parts that had not begun by then are left out. No heap allocation per call.
class ThreadPool {
 public:
  /// 0: one thread per usable CPU.
  explicit ThreadPool(Index threads = 0) : concurrency_(resolve_threads(threads)) {
    if (concurrency_ > 1) pool_.emplace(static_cast<int>(concurrency_ - 1));
  }

  Index concurrency() const { return concurrency_; }

  /// True in a thread that is running a body of any ThreadPool.
  static bool inside() { return inside_flag(); }

  void parallel_for(Index count, BodyRef body) {
    const Index helpers = std::min(count, concurrency_) - 1;
    if (helpers < 1 || inside()) {
      for (Index i = 0; i < count; ++i) body(i);
      return;
    }
    Call call(count, body, helpers);
    for (Index i = 0; i < helpers; ++i) pool_->Schedule([&call] { call.help(); });
    call.work();
    call.wait();
  }

 private:
  /// What the threads of one parallel_for share; lives on the caller's stack until every helper has left it.
  class Call {
   public:
    Call(Index count, BodyRef body, Index helpers) : count_(count), body_(body), pending_(helpers) {}

    void work() {
      inside_flag() = true;
#if HEED_EXCEPTIONS
      try {
        run();
      } catch (...) {
        next_ = count_;
        const std::lock_guard lock(mutex_);
        if (!error_) error_ = std::current_exception();
      }
#else
      run();
#endif
      inside_flag() = false;
    }
    void help() {
      work();
      const std::lock_guard lock(mutex_);  // the caller takes it too before it goes, so `this` outlives the notify
      if (--pending_ == 0) done_.notify_one();
    }
    void wait() {
      constexpr int spins = 2000;  // some microseconds: cheaper than sleeping when the helpers are about to end
      for (int i = 0; i < spins && pending_.load(std::memory_order_relaxed) > 0; ++i) {
      }
      std::unique_lock lock(mutex_);
      done_.wait(lock, [&] { return pending_ == 0; });
      if (error_) std::rethrow_exception(error_);
    }

   private:
    void run() {
      for (Index i = next_++; i < count_; i = next_++) body_(i);
    }

    const Index count_;
    const BodyRef body_;
    std::atomic<Index> next_{0};
    std::atomic<Index> pending_;
    std::mutex mutex_;
    std::condition_variable done_;
    std::exception_ptr error_;
  };

  static bool& inside_flag() {
    thread_local bool inside = false;
    return inside;
  }

  Index concurrency_;
  std::optional<Eigen::ThreadPool> pool_;
};

/// The number of threads that the text of HEED_NUM_THREADS asks for; nothing where it is no number from 0 up.
inline std::optional<Index> parse_thread_count(std::string_view text) {
  Index count = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, problem] = std::from_chars(text.data(), end, count);
  if (problem == std::errc::result_out_of_range && stop == end && text.front() != '-') return PTRDIFF_MAX;
  if (problem != std::errc{} || stop != end || count < 0) return std::nullopt;
  return count;
}

/// The process-wide pools behind default_executor(): one for each size that was asked for, made on first use and kept, so
/// that a call under way keeps its pool and its concurrency when another thread calls set_num_threads.
class DefaultPools {
 public:
  static DefaultPools& instance() {
    static DefaultPools pools;
    return pools;
  }
  ThreadPool& current() {
    const std::lock_guard lock(mutex_);
    for (Sized& sized : pools_)
      if (sized.threads == threads_) return sized.pool;
    return pools_.emplace_front(threads_).pool;
  }
  Index threads() {
    const std::lock_guard lock(mutex_);
    return threads_;
  }
  void set_threads(Index requested) {
    const Index resolved = resolve_threads(requested);
    const std::lock_guard lock(mutex_);
    threads_ = resolved;
  }

 private:
  struct Sized {
    explicit Sized(Index size) : threads(size), pool(size) {}
    Index threads;
    ThreadPool pool;
  };

  DefaultPools() : threads_(resolve_threads(0)) {
    const char* const text = std::getenv("HEED_NUM_THREADS");
    if (text == nullptr || *text == '\0') return;
    if (const std::optional<Index> count = parse_thread_count(text)) {
      threads_ = resolve_threads(*count);
    } else {
      std::fprintf(stderr, "heed: HEED_NUM_THREADS is \"%.80s\", wanted a number from 0 up; ignored\n", text);
    }
  }

  std::mutex mutex_;
  Index threads_;
  std::forward_list<Sized> pools_;  // never moved: calls hold references
};

/// The executor of calls that are given none.
inline ExecutorRef default_executor() { return DefaultPools::instance().current(); }
/// Sizes the default executor of the calls to come: 0 is automatic (all usable CPUs), a negative number is refused.
/// Overrides HEED_NUM_THREADS.
inline void set_num_threads(Index threads) { DefaultPools::instance().set_threads(threads); }
/// The threads that the default executor runs on, the calling one included.
inline Index num_threads() { return DefaultPools::instance().threads(); }

}  // namespace heed::inline HEED_ABI
