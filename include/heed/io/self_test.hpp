#pragma once
// A checkpoint's self-test: an input, and what the model made of it when it was saved. Whoever loads the file runs the
// input again, so that weights that were read in another order, or changed by another program, or a library that
// computes something else, are found before the first result and not after it.

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include <heed/core/check.hpp>
#include <heed/core/quote.hpp>
#include <heed/io/json.hpp>

namespace heed::inline HEED_ABI {

/// Named lists of numbers: token ids, features, log probabilities.
using NumberLists = std::map<std::string, std::vector<double>>;

/// How far a number of the output may be from what was saved, in parts of 1 + the largest number of its list. Compilers
/// and instruction sets differ in the last bits (SEMANTICS 27), a wrong model in the first.
inline constexpr double self_test_tolerance = 1e-3;

struct SelfTest {
  NumberLists input, output;
  double tolerance = self_test_tolerance;  // of files that name none, too
  bool operator==(const SelfTest&) const = default;
};

namespace detail {

/// The first number of `lists` that is NaN or infinite, as "output \"log_probs\"[3]"; empty when there is none.
inline std::string find_non_finite(std::string_view what, const NumberLists& lists) {
  for (const auto& [name, numbers] : lists) {
    const auto found = std::find_if(numbers.begin(), numbers.end(), [](double x) { return !std::isfinite(x); });
    if (found == numbers.end()) continue;
    return std::string(what) + ' ' + quote(name) + '[' + std::to_string(found - numbers.begin()) + ']';
  }
  return {};
}

inline double largest_of(const std::vector<double>& numbers) {
  double largest = 0;
  for (const double number : numbers) largest = std::max(largest, std::abs(number));
  return largest;
}

/// Six digits, whatever the size and the locale.
inline std::string short_number(double number) {
  char text[32];
  const auto end = std::to_chars(text, text + sizeof text, number, std::chars_format::general, 6);
  return {text, end.ptr};
}

/// What is wrong with one list, or an empty text.
inline std::string list_difference(const std::vector<double>& expected, const std::vector<double>& found,
                                   double tolerance) {
  if (found.size() != expected.size()) {
    return " has " + std::to_string(found.size()) + " numbers, expected " + std::to_string(expected.size());
  }
  const double allowed = tolerance * (1 + largest_of(expected));
  for (std::size_t i = 0; i < expected.size(); ++i) {
    if (std::abs(found[i] - expected[i]) <= allowed) continue;  // false for NaN
    return '[' + std::to_string(i) + "] is " + short_number(found[i]) + ", expected " + short_number(expected[i]) +
           " within " + short_number(allowed);
  }
  return {};
}

}  // namespace detail

/// Where `found` differs from the saved output, such as "log_probs"[3] is -2.5, expected -9.1 within 0.01; empty where it
/// does not. What was not saved is not compared.
inline std::string self_test_difference(const NumberLists& expected, const NumberLists& found,
                                        double tolerance = self_test_tolerance) {
  for (const auto& [name, numbers] : expected) {
    const auto other = found.find(name);
    if (other == found.end()) return quote(name) + " is not computed";
    if (const std::string text = detail::list_difference(numbers, other->second, tolerance); !text.empty())
      return quote(name) + text;
  }
  return {};
}

/// How far `found` is from the saved output at its farthest number, in the tolerance's measure; infinite where a list is
/// missing, has another size or holds NaN.
inline double self_test_distance(const NumberLists& expected, const NumberLists& found) {
  double farthest = 0;
  for (const auto& [name, numbers] : expected) {
    const auto other = found.find(name);
    if (other == found.end() || other->second.size() != numbers.size()) return std::numeric_limits<double>::infinity();
    const double size = 1 + detail::largest_of(numbers);
    for (std::size_t i = 0; i < numbers.size(); ++i) {
      const double distance = std::abs(other->second[i] - numbers[i]) / size;
      if (std::isnan(distance)) return std::numeric_limits<double>::infinity();
      farthest = std::max(farthest, distance);
    }
  }
  return farthest;
}

inline nlohmann::json self_test_json(const SelfTest& test) {
  return {{"input", test.input}, {"output", test.output}, {"tolerance", test.tolerance}};
}

/// Throws FormatError where `json` is no self-test.
inline SelfTest self_test_from_json(const nlohmann::json& json, const std::string& place) {
  SelfTest test{json_field<NumberLists>(json, "input", place), json_field<NumberLists>(json, "output", place)};
  if (json.contains("tolerance")) test.tolerance = json_field<double>(json, "tolerance", place);
  if (!(test.tolerance >= 0 && test.tolerance < 1)) {
    raise(FormatError(place, "",
                      "the tolerance is " + detail::short_number(test.tolerance) + ", wanted from 0 to below 1"));
  }
  return test;
}

}  // namespace heed::inline HEED_ABI
