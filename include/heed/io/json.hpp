#pragma once
// Small JSON texts (configurations, golden cases) read strictly: no name twice, no deep nesting, no trailing text.

#include <cmath>
#include <concepts>
#include <cstdint>
#include <limits>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include <heed/core/check.hpp>
#include <heed/core/quote.hpp>

namespace heed::inline HEED_ABI {

inline constexpr int max_json_depth = 16;

namespace detail {

/// What nlohmann's reader says, with the file's text in it ("last read: '...'") escaped and cut like all foreign text.
inline std::string json_problem(std::string_view what) {
  constexpr std::string_view before = "last read: '";
  const std::size_t found = what.find(before);
  if (found == what.npos) return escaped(what.substr(0, 4 * max_quoted_bytes));
  return escaped(what.substr(0, found)) + "last read: " + quote(what.substr(found + before.size()));
}

/// nlohmann's own conversion cuts 1.5 to 1 and wraps 2^32 + 1 to an int of 1. 2.0 is a whole number.
template <std::integral T>
bool to_whole_number(const nlohmann::json& value, T& number) {
  constexpr double exact = 0x1p53;
  const auto take = [&](auto whole) {
    number = static_cast<T>(whole);
    return std::in_range<T>(whole);
  };
  if (value.is_number_unsigned()) return take(value.get<std::uint64_t>());
  if (value.is_number_integer()) return take(value.get<std::int64_t>());
  const double real = value.is_number_float() ? value.get<double>() : 0.5;
  return real == std::trunc(real) && std::abs(real) <= exact && take(static_cast<std::int64_t>(real));
}

}  // namespace detail

/// Parses `text`; `file` stands in messages. Throws FormatError with the byte for invalid JSON (NaN, comments, bad
/// UTF-8, text behind the value), names that come twice in an object, and brackets nested deeper than max_json_depth.
inline nlohmann::json parse_json(std::string_view text, const std::string& file) {
  using Json = nlohmann::json;
  std::vector<std::set<std::string>> names;  // of the objects that are open
  const auto check_event = [&](int depth, Json::parse_event_t event, Json& value) {
    if (event == Json::parse_event_t::object_start || event == Json::parse_event_t::array_start) {
      if (depth >= max_json_depth) {
        raise(FormatError(file, "", "JSON nested deeper than " + std::to_string(max_json_depth)));
      }
      names.resize(static_cast<std::size_t>(depth) + 1);
      names.back().clear();
    } else if (event == Json::parse_event_t::key) {
      names.resize(static_cast<std::size_t>(depth));
      const auto& name = value.get_ref<const std::string&>();
      if (!names.back().insert(name).second)
        raise(FormatError(file, "", "the JSON name " + quote(name) + " comes twice"));
    }
    return true;
  };
  try {
    return Json::parse(text.begin(), text.end(), check_event);
  } catch (const Json::parse_error& error) {
    raise(FormatError(file, "byte " + std::to_string(error.byte),
                      "not valid JSON: " + detail::json_problem(error.what())));
  } catch (const Json::exception& error) {
    raise(FormatError(file, "", "not valid JSON: " + detail::json_problem(error.what())));
  }
}

/// A field of an object as a C++ value. Throws FormatError that names the field when it is missing, of another type, or
/// no whole number of T's range where T is an integer.
template <class T>
T json_field(const nlohmann::json& object, const std::string& name, const std::string& file) {
  const auto found = object.is_object() ? object.find(name) : object.end();
  if (found == object.end()) raise(FormatError(file, "", "the field " + quote(name) + " is missing"));
  if constexpr (std::integral<T> && !std::same_as<T, bool>) {
    T number{};
    if (detail::to_whole_number(*found, number)) return number;
    raise(FormatError(file, "",
                      "the field " + quote(name) + " is " + quote(found->dump()) + ", wanted a whole number from " +
                          std::to_string(std::numeric_limits<T>::min()) + " to " +
                          std::to_string(std::numeric_limits<T>::max())));
  }
  try {
    return found->get<T>();
  } catch (const nlohmann::json::exception& error) {
    raise(FormatError(file, "", "the field " + quote(name) + ": " + detail::json_problem(error.what())));
  }
}

}  // namespace heed::inline HEED_ABI
