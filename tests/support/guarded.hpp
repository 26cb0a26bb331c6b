#pragma once
// Memory between two pages that may not be touched (POSIX): a read or a write one byte outside ends the test with
// SIGSEGV.

#include <heed/core/view.hpp>

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <new>
#include <vector>

namespace heed_test {

/// Where the forbidden page adjoins: behind the last element, or in front of the first.
enum class GuardSide { behind, in_front };

/// `count` elements that adjoin a forbidden page; those behind start at any multiple of sizeof(T), as the count has it.
template <class T>
class Guarded {
 public:
  Guarded(heed::Index count, GuardSide side) : count_(static_cast<std::size_t>(count)) {
    const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
    const std::size_t inner = (count_ * sizeof(T) + page - 1) / page * page;
    bytes_ = inner + 2 * page;
    memory_ = mmap(nullptr, bytes_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory_ == MAP_FAILED) throw std::bad_alloc();
    std::byte* const first = static_cast<std::byte*>(memory_) + page;
    if (inner > 0 && mprotect(first, inner, PROT_READ | PROT_WRITE) != 0) throw std::bad_alloc();
    const std::size_t skipped = side == GuardSide::behind ? inner - count_ * sizeof(T) : 0;
    data_ = reinterpret_cast<T*>(first + skipped);
  }
  template <class U>
  Guarded(const U* from, heed::Index count, GuardSide side) : Guarded(count, side) {
    std::copy_n(from, count_, data_);
  }
  Guarded(const std::vector<T>& from, GuardSide side)
      : Guarded(from.data(), static_cast<heed::Index>(from.size()), side) {}
  Guarded(const Guarded&) = delete;
  Guarded& operator=(const Guarded&) = delete;
  ~Guarded() { munmap(memory_, bytes_); }

  T* data() { return data_; }
  operator T*() { return data_; }

 private:
  std::size_t count_, bytes_;
  void* memory_;
  T* data_;
};

}  // namespace heed_test
