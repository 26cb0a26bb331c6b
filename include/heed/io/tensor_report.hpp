#pragma once
// What a file's tensors and those that a model wants do not have in common, for every reader of weights.

#include <concepts>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <heed/core/check.hpp>
#include <heed/core/quote.hpp>
#include <heed/io/safetensors.hpp>

namespace heed::inline HEED_ABI {

namespace detail {

/// Up to ten names, so that a message stays one line.
inline std::string name_list(const std::vector<std::string>& names) {
  std::string text;
  for (std::size_t i = 0; i < names.size() && i < 10; ++i) text += (i == 0 ? "" : ", ") + names[i];
  return names.size() <= 10 ? text : text + " and " + std::to_string(names.size() - 10) + " more";
}

}  // namespace detail

struct TensorReport {
  std::vector<std::string> missing;    // wanted, and not in the file
  std::vector<std::string> different;  // of another shape, or a type that does not convert: "a" (F32 (3, 4), wanted (3, 5))
  std::vector<std::string> extra;      // in the file, and not wanted
  std::set<std::string, std::less<>> wanted;

  /// A tensor of T's (any floating type serves a floating T) of this shape is wanted.
  template <class T>
  void expect(const SafetensorsFile& file, const std::string& name, const std::vector<Index>& shape) {
    wanted.insert(name);
    if (!file.contains(name)) return missing.push_back(quote(name));
    const TensorInfo& info = file.info(name);
    const bool readable = std::floating_point<T> ? is_loadable(info.dtype) : info.dtype == dtype_of<T>;
    if (readable && info.shape == shape) return;
    different.push_back(quote(name) + " (" + std::string(dtype_info(info.dtype).name) + " " + shape_text(info.shape) +
                        ", wanted " + shape_text(shape) + ")");
  }
  /// Once all are expected: notes the others of the file that are `ours`.
  template <class Ours>
  void add_extra(const SafetensorsFile& file, const Ours& ours) {
    for (const std::string& name : file.names())
      if (ours(name) && !wanted.contains(name)) extra.push_back(quote(name));
  }

  bool complete() const { return missing.empty() && extra.empty() && different.empty(); }
  /// "missing: "a", "b"; of another shape or type: ...", empty when complete.
  std::string text() const {
    std::string all;
    const auto add = [&](const char* what, const std::vector<std::string>& names) {
      if (!names.empty()) all += (all.empty() ? "" : "; ") + std::string(what) + detail::name_list(names);
    };
    add("missing: ", missing);
    add("of another shape or type: ", different);
    add("left over: ", extra);
    return all;
  }
  /// Throws FormatError with `problem` and text() unless complete.
  void require(const SafetensorsFile& file, const char* problem) const {
    if (!complete()) raise(FormatError(file.name(), "", std::string(problem) + "; " + text()));
  }
};

}  // namespace heed::inline HEED_ABI
