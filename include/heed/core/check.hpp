#pragma once
// How a broken contract is reported: before anything is written, by a message that names the function, the argument, the
// value found and the value wanted. With exceptions heed throws; without, a replaceable handler is called, then abort().

#include <cstdio>
#include <cstdlib>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include <heed/core/view.hpp>

namespace heed::inline HEED_ABI {

/// A wrong argument: shape, stride, option or value.
class Error : public std::invalid_argument {
 public:
  using std::invalid_argument::invalid_argument;
};

/// Wrong content of a file: safetensors, vocabulary, corpus. what() begins with the file and the place in it.
class FormatError : public std::runtime_error {
 public:
  /// place: "line 3" or "byte 17"; may be empty.
  FormatError(std::string file, std::string place, const std::string& problem)
      : std::runtime_error(file + (place.empty() ? "" : ": " + place) + ": " + problem),
        file_(std::move(file)),
        place_(std::move(place)) {}
  const std::string& file() const { return file_; }
  const std::string& place() const { return place_; }

 private:
  std::string file_, place_;
};

/// What is called instead of throwing where exceptions are off. It may not return to heed: abort() follows it.
using ErrorHandler = void (*)(const char* message);

inline ErrorHandler& error_handler() {
  static ErrorHandler handler = [](const char* message) { std::fprintf(stderr, "heed: %s\n", message); };
  return handler;
}
/// Replaces the handler of builds without exceptions; returns the one before.
inline ErrorHandler set_error_handler(ErrorHandler handler) {
  return std::exchange(error_handler(), handler);
}

/// Throws `error`, or hands its message to the handler where exceptions are off.
template <class E>
[[noreturn]] void raise(const E& error) {
#if HEED_EXCEPTIONS
  throw error;
#else
  error_handler()(error.what());
  std::abort();
#endif
}

[[noreturn]] inline void fail(const std::string& message) { raise(Error(message)); }

/// "(2, 3, 4)"
inline std::string shape_text(std::span<const Index> shape) {
  std::string text = "(";
  for (const Index extent : shape) text += (text.size() > 1 ? ", " : "") + std::to_string(extent);
  return text + ")";
}

/// The same for what is wanted, where -1 stands for any extent: "(2, any, 4)".
inline std::string wanted_text(std::span<const Index> shape) {
  std::string text = "(";
  for (const Index extent : shape) {
    text += text.size() > 1 ? ", " : "";
    text += extent == -1 ? "any" : std::to_string(extent);
  }
  return text + ")";
}

/// Refuses unless `ok`; `describe()` makes the message only then: check(n > 0, [&] { return ...; }).
template <class Describe>
void check(bool ok, Describe&& describe) {
  if (!ok) fail(describe());
}

/// Refuses an extent that differs: "attend: key has head_dim 63, wanted 64".
inline void check_extent(std::string_view function, std::string_view argument, std::string_view axis, Index found,
                         Index wanted) {
  check(found == wanted, [&] {
    return std::string(function) + ": " + std::string(argument) + " has " + std::string(axis) + " " +
           std::to_string(found) + ", wanted " + std::to_string(wanted);
  });
}

/// Refuses a shape that differs: "Dense::forward: x has shape (2, 3), wanted (2, 4)". -1 in `wanted` accepts any extent.
inline void check_shape(std::string_view function, std::string_view argument, std::span<const Index> found,
                        std::span<const Index> wanted) {
  bool same = found.size() == wanted.size();
  for (std::size_t i = 0; same && i < found.size(); ++i) same = wanted[i] == -1 || found[i] == wanted[i];
  check(same, [&] {
    return std::string(function) + ": " + std::string(argument) + " has shape " + shape_text(found) + ", wanted " +
           wanted_text(wanted);
  });
}

/// a * b of sizes, refused when it leaves 63 bits.
inline Index checked_product(std::string_view function, std::string_view argument, Index a, Index b) {
  Index product = 0;
#if defined(__GNUC__) || defined(__clang__)
  const bool overflow = __builtin_mul_overflow(a, b, &product);
#else
  const bool overflow = a != 0 && b > PTRDIFF_MAX / a;
  product = overflow ? 0 : a * b;
#endif
  check(!overflow, [&] {
    return std::string(function) + ": " + std::string(argument) + ": " + std::to_string(a) + " x " +
           std::to_string(b) + " does not fit 63 bits";
  });
  return product;
}

/// Refuses negative extents and shapes whose product of max(1, extent) leaves 63 bits (zero must not hide an overflow).
inline void check_extents(std::string_view function, std::string_view argument, std::span<const Index> shape) {
  Index product = 1;
  for (const Index extent : shape) {
    check(extent >= 0, [&] {
      return std::string(function) + ": " + std::string(argument) + " has shape " + shape_text(shape) +
             ", wanted no negative extent";
    });
    product = checked_product(function, argument, product, extent > 1 ? extent : 1);
  }
}

}  // namespace heed::inline HEED_ABI
