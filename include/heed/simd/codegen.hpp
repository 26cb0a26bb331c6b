#pragma once
// What a hot loop has to tell the compiler. None of it changes a result.

#include <utility>

#include <heed/simd/arch.hpp>

// Attributes of a function whose registers must not be spilled by a call. Not inlined into its callers, so that they
// cannot disturb it; everything it calls is inlined, except where a sanitizer watches every access of it (a minute to
// compile). gcc 12 otherwise leaves some calls and keeps the sums of a tile in memory, at a third of the speed.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define HEED_HOT_LOOP gnu::noinline
#else
#define HEED_HOT_LOOP gnu::noinline, gnu::flatten
#endif

namespace heed::inline HEED_ABI {

/// Hides from the compiler where x came from: a value that was loaded stays in its register instead of being loaded
/// again by each of its uses (gcc 12 folds such loads, which makes a loop of fma's wait for the load ports).
template <Real T, class Arch>
inline void keep_in_register([[maybe_unused]] Batch<T, Arch>& x) {
#if (defined(__GNUC__) || defined(__clang__)) && (defined(__x86_64__) || defined(__aarch64__))
  typename Batch<T, Arch>::register_type value = x;
#if defined(__AVX512F__)
  asm("" : "+v"(value));
#elif defined(__x86_64__)
  asm("" : "+x"(value));
#else
  asm("" : "+w"(value));
#endif
  x = Batch<T, Arch>(value);
#endif
}

/// The same for an address: the compiler must not rewrite it in terms of others.
template <class T>
inline void keep_in_register([[maybe_unused]] const T*& p) {
#if defined(__GNUC__) || defined(__clang__)
  asm("" : "+r"(p));
#endif
}

/// The same for an offset that a loop adds up. Of a long loop over elements a stride apart gcc -O3 makes two, one for a
/// stride of 1: twice the code, and no faster where the elements are few beside the rest.
inline void keep_in_register([[maybe_unused]] Index& offset) {
#if defined(__GNUC__) || defined(__clang__)
  asm("" : "+r"(offset));
#endif
}

/// Asks for the cache line of p; any address is allowed.
inline void prefetch([[maybe_unused]] const void* p) {
#if defined(__GNUC__) || defined(__clang__)
  __builtin_prefetch(p);
#endif
}

/// Calls f(0), f(1), ..., f(Count - 1): a loop that is unrolled at every optimisation level. The indices are constants
/// where f is inlined (mark it always_inline), and f is compiled once: with types for indices it would be Count times.
template <int Count, class F>
[[gnu::always_inline]] inline void unroll(const F& f) {
  [&]<int... I>(std::integer_sequence<int, I...>) __attribute__((always_inline)) {
    (f(I), ...);
  }
  (std::make_integer_sequence<int, Count>());
}

}  // namespace heed::inline HEED_ABI
