#pragma once
// Which cases a folder holds: a whole set or one group's folder, with or without index.json.

#include <filesystem>
#include <string>
#include <vector>

namespace conformance {

/// The JSON files of the cases in the order of their paths. With an index.json those that it lists and those that lie
/// in the folders; without, those that lie there. Throws std::system_error or heed::FormatError for a folder or an
/// index that cannot be read.
std::vector<std::filesystem::path> find_cases(const std::filesystem::path& folder);

}  // namespace conformance
