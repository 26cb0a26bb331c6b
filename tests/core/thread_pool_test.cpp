#include <heed/core/thread_pool.hpp>

#include <array>
#include <atomic>
#include <cstdio>
#include <set>
#include <string>
#include <thread>
#include <vector>

#if defined(__linux__)
#include <unistd.h>
#endif

#include "support/catch.hpp"

using heed::Index;
using heed::ThreadPool;

TEST_CASE("A pool runs every part once, for any count and number of threads", "[core]") {
  const Index threads = GENERATE(1, 2, 3, 8);
  const Index count = GENERATE(0, 1, 2, 7, 1000);
  ThreadPool pool(threads);
  CHECK(pool.concurrency() == threads);
  std::vector<std::atomic<int>> runs(static_cast<std::size_t>(count));
  for (int repeat = 0; repeat < 20; ++repeat) pool.parallel_for(count, [&](Index i) { ++runs[std::size_t(i)]; });
  for (const auto& times : runs) CHECK(times == 20);
}

TEST_CASE("A pool of n threads uses n threads, the calling one among them", "[core]") {
  ThreadPool pool(3);
  std::array<std::thread::id, 3> ids{};
  std::atomic<int> met{0};
  pool.parallel_for(3, [&](Index i) {  // each waits for the others, so each must have a thread of its own
    ids[std::size_t(i)] = std::this_thread::get_id();
    ++met;
    while (met < 3) std::this_thread::yield();
  });
  const std::set<std::thread::id> distinct(ids.begin(), ids.end());
  CHECK(distinct.size() == 3);
  CHECK(distinct.count(std::this_thread::get_id()) == 1);
}

TEST_CASE("A32: A call from inside a body runs serially in the same thread and does not deadlock", "[core]") {
  ThreadPool pool(4);
  std::atomic<int> runs{0}, foreign{0}, outside{0};  // counted: Catch2 checks in one thread only
  CHECK(!ThreadPool::inside());
  pool.parallel_for(16, [&](Index) {
    const auto self = std::this_thread::get_id();
    if (!ThreadPool::inside()) ++outside;
    pool.parallel_for(16, [&](Index) {
      ++runs;
      if (std::this_thread::get_id() != self) ++foreign;
    });
    if (!ThreadPool::inside()) ++outside;
  });
  CHECK(runs == 256);
  CHECK(foreign == 0);
  CHECK(outside == 0);
  CHECK(!ThreadPool::inside());
}

TEST_CASE("Several threads may use one pool at once", "[core]") {
  ThreadPool pool(2);
  std::atomic<Index> sum{0};
  std::vector<std::thread> users;
  for (int user = 0; user < 4; ++user) {
    users.emplace_back([&] {
      for (int repeat = 0; repeat < 50; ++repeat) pool.parallel_for(10, [&](Index i) { sum += i; });
    });
  }
  for (std::thread& user : users) user.join();
  CHECK(sum == 4 * 50 * 45);
}

TEST_CASE("An exception of a body reaches the caller, and the pool works on", "[core]") {
  ThreadPool pool(2);
  CHECK_THROWS_WITH(pool.parallel_for(100,
                                      [](Index i) {
                                        if (i == 17) heed::fail("part 17");
                                      }),
                    "part 17");
  CHECK(!ThreadPool::inside());
  std::atomic<int> runs{0};
  pool.parallel_for(10, [&](Index) { ++runs; });
  CHECK(runs == 10);
}

TEST_CASE("A31: Numbers of threads: 0 is automatic, negative is refused, too many are cut", "[core]") {
  CHECK(heed::resolve_threads(0) == heed::usable_cpus());
  CHECK(heed::resolve_threads(3) == 3);
  CHECK(heed::usable_cpus() >= 1);
  CHECK(heed::resolve_threads(1000000) < 10000);
  CHECK_THROWS_AS(heed::resolve_threads(-1), heed::Error);
  CHECK_THROWS_WITH(ThreadPool(-1), Catch::Contains("-1"));
}

TEST_CASE("The text of HEED_NUM_THREADS is a number from 0 up or nothing", "[core]") {
  CHECK(heed::parse_thread_count("4") == 4);
  CHECK(heed::parse_thread_count("0") == 0);
  CHECK(heed::parse_thread_count("99999999999999999999") == PTRDIFF_MAX);
  for (const char* text : {"", "abc", "-3", "2x", " 2", "1.5", "+2", "-99999999999999999999"})
    CHECK(heed::parse_thread_count(text) == std::nullopt);
}

TEST_CASE("set_num_threads sizes the default executor", "[core]") {
  heed::set_num_threads(3);
  CHECK(heed::num_threads() == 3);
  CHECK(heed::default_executor().concurrency() == 3);
  std::atomic<int> runs{0};
  heed::default_executor().parallel_for(50, [&](Index) { ++runs; });
  CHECK(runs == 50);
  CHECK_THROWS_AS(heed::set_num_threads(-1), heed::Error);
  CHECK(heed::num_threads() == 3);
  heed::set_num_threads(0);
  CHECK(heed::num_threads() == heed::usable_cpus());
}

TEST_CASE("An executor that was handed out keeps its size when the default one is resized", "[core]") {
  heed::set_num_threads(3);
  const heed::ExecutorRef executor = heed::default_executor();
  heed::set_num_threads(1);
  CHECK(executor.concurrency() == 3);
  CHECK(heed::default_executor().concurrency() == 1);
  std::atomic<int> runs{0};
  executor.parallel_for(10, [&](Index) { ++runs; });
  CHECK(runs == 10);
  heed::set_num_threads(0);
}

TEST_CASE("The default executor may be resized while another thread computes", "[core]") {
  std::atomic<bool> stop{false};
  std::atomic<Index> sum{0};
  Index calls = 0;
  std::thread worker([&] {
    for (; !stop; ++calls) heed::default_executor().parallel_for(4, [&](Index i) { sum += i; });
  });
  for (int i = 0; i < 30; ++i) heed::set_num_threads(1 + i % 4);
  stop = true;
  worker.join();
  CHECK(sum == 6 * calls);
  heed::set_num_threads(0);
}

#if defined(__linux__)
namespace {

/// What this program prints when it runs the hidden test case below with this HEED_NUM_THREADS.
std::string with_environment(const std::string& threads) {
  std::array<char, 4096> self{};
  REQUIRE(readlink("/proc/self/exe", self.data(), self.size() - 1) > 0);
  const std::string command = "HEED_NUM_THREADS='" + threads + "' '" + self.data() + "' '[thread-environment]' 2>&1";
  FILE* pipe = popen(command.c_str(), "r");
  REQUIRE(pipe != nullptr);
  std::string output;
  for (std::array<char, 256> part{}; std::fgets(part.data(), int(part.size()), pipe) != nullptr;) output += part.data();
  pclose(pipe);
  return output;
}

}  // namespace

TEST_CASE("prints the number of threads, for the test below", "[.thread-environment]") {
  std::printf("threads=%td;", heed::num_threads());
  std::printf("threads=%td;", heed::num_threads());
  heed::set_num_threads(2);
  std::printf("set=%td;", heed::num_threads());
}

TEST_CASE("E16: HEED_NUM_THREADS sizes the default executor; what is no number is ignored with one warning", "[core]") {
  const std::string automatic = "threads=" + std::to_string(heed::usable_cpus()) + ";";
  CHECK_THAT(with_environment("3"), Catch::Contains("threads=3;threads=3;set=2;") && !Catch::Contains("ignored"));
  CHECK_THAT(with_environment("0"), Catch::Contains(automatic) && !Catch::Contains("ignored"));
  for (const char* text : {"abc", "-3", "1.5"}) {
    const std::string output = with_environment(text);
    CHECK_THAT(output, Catch::Contains(automatic + automatic + "set=2;"));
    const std::size_t warning = output.find(std::string("HEED_NUM_THREADS is \"") + text + "\"");
    REQUIRE(warning != std::string::npos);
    CHECK(output.find("HEED_NUM_THREADS is", warning + 1) == std::string::npos);
  }
}
#endif
