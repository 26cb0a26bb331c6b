#pragma once
// Small JSON texts (configurations, golden cases) read strictly: no name twice, no deep nesting, no trailing text.

#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include <heed/core/check.hpp>
#include <heed/core/quote.hpp>

namespace heed::inline HEED_ABI {

inline constexpr int max_json_depth = 16;

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
    raise(FormatError(file, "byte " + std::to_string(error.byte), "not valid JSON: " + escaped(error.what())));
  } catch (const Json::exception& error) {
    raise(FormatError(file, "", "not valid JSON: " + escaped(error.what())));
  }
}

/// A field of an object as a C++ value. Throws FormatError that names the field when it is missing or of another type.
template <class T>
T json_field(const nlohmann::json& object, const std::string& name, const std::string& file) {
  const auto found = object.is_object() ? object.find(name) : object.end();
  if (found == object.end()) raise(FormatError(file, "", "the field " + quote(name) + " is missing"));
  try {
    return found->get<T>();
  } catch (const nlohmann::json::exception& error) {
    raise(FormatError(file, "", "the field " + quote(name) + ": " + escaped(error.what())));
  }
}

}  // namespace heed::inline HEED_ABI
