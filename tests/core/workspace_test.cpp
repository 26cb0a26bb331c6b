#include <heed/core/workspace.hpp>

#include <algorithm>
#include <cstdint>
#include <thread>

#include "support/catch.hpp"

using heed::Index;
using heed::Workspace;

namespace {
bool aligned(const void* pointer) { return reinterpret_cast<std::uintptr_t>(pointer) % 64 == 0; }
}  // namespace

TEST_CASE("A workspace hands out aligned pieces that do not overlap", "[core]") {
  Workspace workspace(Workspace::rounded<float>(3) + Workspace::rounded<double>(9));
  float* a = workspace.take<float>(3);
  double* b = workspace.take<double>(9);
  CHECK(aligned(a));
  CHECK(aligned(b));
  std::fill_n(a, 3, 1.0f);
  std::fill_n(b, 9, 2.0);
  CHECK(std::all_of(a, a + 3, [](float x) { return x == 1.0f; }));
  CHECK(reinterpret_cast<std::byte*>(b) - reinterpret_cast<std::byte*>(a) == 64);
  CHECK(workspace.used() == workspace.size());
}

TEST_CASE("A workspace that is too small refuses and names both sizes", "[core]") {
  Workspace workspace(128);
  workspace.take<float>(17);
  CHECK_THROWS_WITH(workspace.take<float>(1), Catch::Contains("128") && Catch::Contains("192"));
  CHECK(workspace.used() == 128);  // the refused piece was not counted
  CHECK_THROWS_AS(Workspace().take<float>(1), heed::Error);
}

TEST_CASE("A workspace refuses a negative count and one whose bytes overflow", "[core]") {
  Workspace workspace(128);
  CHECK_THROWS_AS(workspace.take<float>(-1), heed::Error);
  CHECK_THROWS_AS(workspace.take<double>(PTRDIFF_MAX), heed::Error);
  CHECK_THROWS_AS(workspace.take<double>(PTRDIFF_MAX / 8), heed::Error);
  CHECK(workspace.used() == 0);
}

TEST_CASE("reset and rewind give pieces back", "[core]") {
  Workspace workspace(256);
  float* first = workspace.take<float>(16);
  const std::size_t mark = workspace.used();
  float* second = workspace.take<float>(16);
  workspace.rewind(mark);
  CHECK(workspace.take<float>(16) == second);
  workspace.reset();
  CHECK(workspace.used() == 0);
  CHECK(workspace.take<float>(16) == first);
}

TEST_CASE("reserve grows only when it must and keeps the pieces when it does not", "[core]") {
  Workspace workspace(256);
  const float* piece = workspace.take<float>(16);
  workspace.reserve(100);
  CHECK(workspace.size() == 256);
  CHECK(workspace.used() == 64);
  workspace.reserve(512);
  CHECK(workspace.size() == 512);
  CHECK(workspace.used() == 0);
  CHECK(aligned(workspace.take<float>(16)));
  static_cast<void>(piece);
}

TEST_CASE("An empty piece of an empty workspace is legal", "[core]") {
  Workspace workspace;
  workspace.take<float>(0);
  CHECK(workspace.used() == 0);
}

TEST_CASE("Thread scratch is reused in a thread, and separate per thread and tag", "[core]") {
  struct TagA;
  struct TagB;
  float* a = heed::thread_scratch<TagA, float>(100);
  CHECK(aligned(a));
  CHECK(heed::thread_scratch<TagA, float>(50) == a);
  CHECK(heed::thread_scratch<TagB, float>(100) != a);
  float* elsewhere = nullptr;
  std::thread([&] {
    elsewhere = heed::thread_scratch<TagA, float>(100);
    CHECK(elsewhere != a);
  }).join();
}
