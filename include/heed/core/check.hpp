#pragma once
// How a broken contract is reported: before anything is written, by a message that names the function, the argument, the
// value found and the value wanted. With exceptions heed throws; without, a replaceable handler is called, then abort().

#include <cstdio>
#include <cstdlib>
#include <initializer_list>
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

[[noreturn, gnu::cold]] inline void fail(const std::string& message) { raise(Error(message)); }

/// A piece of a message: text, or a number.
class MessagePart {
 public:
  MessagePart(const char* text) : MessagePart(std::string_view(text)) {}
  MessagePart(const std::string& text) : MessagePart(std::string_view(text)) {}
  MessagePart(std::string_view text) : text_(text), kind_(Kind::text) {}
  MessagePart(Index number) : index_(number), kind_(Kind::index) {}
  MessagePart(double number) : real_(number), kind_(Kind::real) {}

  void add_to(std::string& message) const {
    if (kind_ == Kind::text) message += text_;
    if (kind_ == Kind::index) message += std::to_string(index_);
    if (kind_ == Kind::real) message += std::to_string(real_);
  }

 private:
  enum class Kind { text, index, real };
  std::string_view text_ = {};
  Index index_ = 0;
  double real_ = 0;
  Kind kind_;
};

/// The parts one after another: message({function, ": n is ", n}). One function for every message: sums of strings are
/// inlined a kilobyte each, and were a sixth of the compile time of a file that calls attention.
[[gnu::cold, gnu::noinline]] inline std::string message(std::initializer_list<MessagePart> parts) {
  std::string text;
  for (const MessagePart& part : parts) part.add_to(text);
  return text;
}

/// "(2, 3, 4)"
[[gnu::cold, gnu::noinline]] inline std::string shape_text(std::span<const Index> shape) {
  std::string text = "(";
  for (const Index extent : shape) text += message({text.size() > 1 ? ", " : "", extent});
  return text += ')';
}

/// The same for what is wanted, where -1 stands for any extent: "(2, any, 4)".
[[gnu::cold, gnu::noinline]] inline std::string wanted_text(std::span<const Index> shape) {
  std::string text = "(";
  for (const Index extent : shape) {
    const char* const comma = text.size() > 1 ? ", " : "";
    text += extent == -1 ? message({comma, "any"}) : message({comma, extent});
  }
  return text += ')';
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
    return message({function, ": ", argument, " has ", axis, " ", found, ", wanted ", wanted});
  });
}

/// Refuses a shape that differs: "Dense::forward: x has shape (2, 3), wanted (2, 4)". -1 in `wanted` accepts any extent.
inline void check_shape(std::string_view function, std::string_view argument, std::span<const Index> found,
                        std::span<const Index> wanted) {
  bool same = found.size() == wanted.size();
  for (std::size_t i = 0; same && i < found.size(); ++i) same = wanted[i] == -1 || found[i] == wanted[i];
  check(same, [&] {
    return message({function, ": ", argument, " has shape ", shape_text(found), ", wanted ", wanted_text(wanted)});
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
    return message({function, ": ", argument, ": ", a, " x ", b, " does not fit 63 bits"});
  });
  return product;
}

/// Refuses negative extents and shapes whose product of max(1, extent) leaves 63 bits (zero must not hide an overflow).
inline void check_extents(std::string_view function, std::string_view argument, std::span<const Index> shape) {
  Index product = 1;
  for (const Index extent : shape) {
    check(extent >= 0, [&] {
      return message({function, ": ", argument, " has shape ", shape_text(shape), ", wanted no negative extent"});
    });
    product = checked_product(function, argument, product, extent > 1 ? extent : 1);
  }
}

}  // namespace heed::inline HEED_ABI
