#include "case_files.hpp"

#include <cerrno>
#include <set>
#include <system_error>

#include <heed/core/quote.hpp>
#include <heed/io/json.hpp>
#include <heed/io/safetensors.hpp>

namespace conformance {
namespace {

using std::filesystem::path;

nlohmann::json read_json(const path& file) {
  heed::detail::InputFile input(file);
  std::string text(static_cast<std::size_t>(input.size()), ' ');
  input.read(text.data(), input.size());
  return heed::parse_json(text, heed::escaped(file.string()));
}

/// Beside the groups of a whole set lie files that are no cases (the set's own settings); what cannot be read counts
/// as a case, so that it is reported and not skipped.
bool is_case(const path& file) {
  try {
    const nlohmann::json json = read_json(file);
    return json.is_object() && json.contains("op");
  } catch (const std::exception&) {
    return true;
  }
}

bool is_json(const std::filesystem::directory_entry& entry) {
  return entry.path().extension() == ".json" && entry.path().filename() != "index.json" && !entry.is_directory();
}

void add_group(const path& folder, std::set<path>& cases) {
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (is_json(entry)) cases.insert(entry.path());
  }
}

void add_index(const path& folder, std::set<path>& cases) {
  const path index = folder / "index.json";
  if (!std::filesystem::exists(index)) return;
  const std::string place = heed::escaped(index.string());
  for (const auto& row : heed::json_field<nlohmann::json>(read_json(index), "cases", place)) {
    cases.insert(folder / heed::json_field<std::string>(row, "json", place));
  }
}

}  // namespace

std::vector<path> find_cases(const path& given) {
  const path folder = given.lexically_normal();
  if (!std::filesystem::is_directory(folder)) {
    const int code = std::filesystem::exists(folder) ? ENOTDIR : ENOENT;
    throw std::system_error(code, std::generic_category(), heed::quote(folder.string()));
  }
  std::set<path> cases;
  add_index(folder, cases);
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.is_directory()) add_group(entry.path(), cases);
    if (is_json(entry) && is_case(entry.path())) cases.insert(entry.path());
  }
  return {cases.begin(), cases.end()};
}

}  // namespace conformance
