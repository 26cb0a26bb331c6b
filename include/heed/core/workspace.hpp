#pragma once
// Scratch memory that the caller owns: allocated once, handed out in aligned pieces, reused by every call.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>

#include <heed/core/check.hpp>
#include <heed/core/view.hpp>

namespace heed::inline HEED_ABI {

/// A bump allocator over one block. take() never allocates unless the workspace may grow; reset() forgets all pieces.
class Workspace {
 public:
  static constexpr std::size_t alignment = 64;             // one cache line, one AVX-512 register
  static constexpr std::size_t largest = PTRDIFF_MAX / 2;  // more bytes than this is an overflow, not a request

  Workspace() = default;
  /// Allocates `bytes` now.
  explicit Workspace(std::size_t bytes) { reserve(bytes); }

  /// Space for `count` elements, 64-byte aligned, uninitialised. Refuses when the workspace is too small.
  template <class T>
  T* take(Index count) {
    check(count >= 0 && static_cast<std::size_t>(count) <= largest / sizeof(T),
          [&] { return message({"Workspace::take: count is ", count, ", wanted a size from 0 up"}); });
    return reinterpret_cast<T*>(take_bytes(rounded<T>(count)));
  }
  /// Bytes that take<T>(count) uses.
  template <class T>
  static constexpr std::size_t rounded(Index count) {
    return (static_cast<std::size_t>(count) * sizeof(T) + alignment - 1) / alignment * alignment;
  }
  /// Grows to at least `bytes`; forgets all pieces when it does.
  void reserve(std::size_t bytes) {
    if (bytes <= size_) return;
    block_.reset(static_cast<std::byte*>(::operator new (bytes, std::align_val_t{alignment})));
    size_ = bytes;
    used_ = 0;
  }
  void reset() { used_ = 0; }
  std::size_t size() const { return size_; }
  std::size_t used() const { return used_; }
  /// Gives back everything taken since `used()` was `mark`.
  void rewind(std::size_t mark) { used_ = mark; }

 private:
  std::byte* take_bytes(std::size_t bytes) {
    check(bytes <= size_ - used_, [&] {
      return message({"Workspace::take: workspace has ", static_cast<Index>(size_), " bytes, wanted at least ",
                      static_cast<Index>(used_ + bytes)});
    });
    std::byte* const piece = block_.get() + used_;
    used_ += bytes;
    return piece;
  }

  struct Free {
    void operator()(std::byte* block) const { ::operator delete (block, std::align_val_t{alignment}); }
  };
  std::unique_ptr<std::byte, Free> block_;
  std::size_t size_ = 0;
  std::size_t used_ = 0;
};

/// Grow-only scratch of the calling thread, for layers whose caller passes none: `count` elements, 64-byte aligned,
/// uninitialised, valid until the next call with the same Tag in this thread.
template <class Tag, class T>
T* thread_scratch(Index count) {
  thread_local Workspace workspace;
  workspace.reserve(Workspace::rounded<T>(count));
  workspace.reset();
  return workspace.take<T>(count);
}

}  // namespace heed::inline HEED_ABI
