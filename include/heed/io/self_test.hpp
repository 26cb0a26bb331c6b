#pragma once
// A checkpoint's self-test: an input, and what the model made of it when it was saved. Whoever loads the file runs the
// input again, so that weights that were read in another order, or changed by another program, or a library that
// computes something else, are found before the first result and not after it.

#include <algorithm>
#include <cmath>
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

struct SelfTest {
  NumberLists input, output;
  bool operator==(const SelfTest&) const = default;
};

/// How far a number of the output may be from what was saved, in parts of 1 + the largest number of its list. Compilers
/// and instruction sets differ in the last bits (SEMANTICS 27), a wrong model in the first.
inline constexpr double self_test_tolerance = 1e-3;

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

/// What is wrong with one list, or an empty text.
inline std::string list_difference(const std::vector<double>& expected, const std::vector<double>& found) {
  if (found.size() != expected.size()) {
    return " has " + std::to_string(found.size()) + " numbers, expected " + std::to_string(expected.size());
  }
  double largest = 0;
  for (const double number : expected) largest = std::max(largest, std::abs(number));
  for (std::size_t i = 0; i < expected.size(); ++i) {
    if (std::abs(found[i] - expected[i]) <= self_test_tolerance * (1 + largest)) continue;  // false for NaN
    return '[' + std::to_string(i) + "] is " + std::to_string(found[i]) + ", expected " + std::to_string(expected[i]);
  }
  return {};
}

}  // namespace detail

/// Where `found` differs from the saved output, such as "log_probs"[3] is -2.5, expected -9.1; empty where it does not.
inline std::string self_test_difference(const NumberLists& expected, const NumberLists& found) {
  for (const auto& [name, numbers] : expected) {
    const auto other = found.find(name);
    if (other == found.end()) return quote(name) + " is not computed";
    if (const std::string text = detail::list_difference(numbers, other->second); !text.empty())
      return quote(name) + text;
  }
  return {};
}

inline nlohmann::json self_test_json(const SelfTest& test) { return {{"input", test.input}, {"output", test.output}}; }

/// Throws FormatError where `json` is no self-test.
inline SelfTest self_test_from_json(const nlohmann::json& json, const std::string& place) {
  return {json_field<NumberLists>(json, "input", place), json_field<NumberLists>(json, "output", place)};
}

}  // namespace heed::inline HEED_ABI
