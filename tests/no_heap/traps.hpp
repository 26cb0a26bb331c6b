#pragma once
// Counts every call that takes heap memory or a lock, in any thread, while a Trap lives. traps.cpp replaces the C
// library's functions for the whole program.

namespace heed_test {

class Trap {
 public:
  Trap();
  ~Trap();
  Trap(const Trap&) = delete;

  /// Calls of malloc and its kin since this began, those of operator new included.
  int heap() const;
  /// Calls of free with memory.
  int frees() const;
  /// Calls that lock, try to lock or wait: mutexes, read-write locks, spin locks, condition variables, semaphores.
  int locks() const;
  /// All of them.
  int total() const { return heap() + frees() + locks(); }
};

}  // namespace heed_test
