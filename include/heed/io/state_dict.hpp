#pragma once
// PyTorch's state dicts in safetensors files: read into heed's layers and models by name, and written back, bit by bit.
//
//   const auto file = heed::SafetensorsFile::read("encoder.safetensors");
//   heed::load_state_dict(file, layer, {.prefix = "model.encoder.layers.0."});
//
// heed's layers name their parameters as PyTorch does, so a name is the same on both sides but for recurrent layers:
// "layers.1.reverse.weight_ih" is weight_ih_l1_reverse there. Exported by examples/weights/export_torch.py.

#include <filesystem>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <heed/core/quote.hpp>
#include <heed/io/checkpoint.hpp>

namespace heed::inline HEED_ABI {

/// What a state dict and a model do not have in common.
struct StateDictReport {
  std::vector<std::string> missing;    // the model has them, the file does not
  std::vector<std::string> extra;      // the file has them under the prefix, the model does not
  std::vector<std::string> different;  // of another shape, or a type that does not convert: "name (F32 (3, 4), wanted (3, 5))"

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
};

/// What happens to tensors of the file that the model does not have.
enum class ExtraTensors { refuse, ignore };

struct StateDictOptions {
  std::string prefix = {};  // in front of every name in the file, its dot included
  ExtraTensors extra = ExtraTensors::refuse;
};

/// The name that PyTorch has for a parameter of heed's: the same but for those of recurrent layers.
inline std::string torch_name(std::string_view name) {
  const std::size_t start = name.rfind("layers.");
  if (start == name.npos || (start > 0 && name[start - 1] != '.')) return std::string(name);
  const std::size_t number = start + 7, dot = name.find('.', number);
  const std::string_view rest = dot == name.npos ? std::string_view() : name.substr(dot + 1);
  for (const auto& [direction, suffix] : {std::pair<std::string_view, std::string_view>{"forward.", ""},
                                          std::pair<std::string_view, std::string_view>{"reverse.", "_reverse"}}) {
    if (!rest.starts_with(direction)) continue;
    return std::string(name.substr(0, start)) + std::string(rest.substr(direction.size())) + "_l" +
           std::string(name.substr(number, dot - number)) + std::string(suffix);
  }
  return std::string(name);
}

/// Compares without loading.
template <class Model>
StateDictReport compare_state_dict(const SafetensorsFile& file, const Model& model, const StateDictOptions& options = {}) {
  StateDictReport report;
  std::set<std::string> wanted;
  for_each_parameter(
      [&]<class T, int Rank>(std::string_view own, Role, const Tensor<T, Rank>& tensor) {
        const std::string name = options.prefix + torch_name(own);
        wanted.insert(name);
        if (!file.contains(name)) return report.missing.push_back(quote(name));
        const TensorInfo& info = file.info(name);
        std::vector<Index> shape;
        for (const Index extent : extents(tensor)) shape.push_back(extent);
        if (info.shape == shape && is_loadable(info.dtype)) return;
        report.different.push_back(quote(name) + " (" + std::string(dtype_info(info.dtype).name) + " " +
                                   shape_text(info.shape) + ", wanted " + shape_text(shape) + ")");
      },
      model);
  for (const std::string& name : file.names()) {
    const bool ours = name.starts_with(options.prefix) && !wanted.contains(name);
    if (ours && options.extra == ExtraTensors::refuse) report.extra.push_back(quote(name));
  }
  return report;
}

/// Fills a model whose tensors have their sizes already; numbers of another type are converted. Throws FormatError with
/// StateDictReport::text() unless everything fits; then nothing was loaded.
template <class Model>
void load_state_dict(const SafetensorsFile& file, Model& model, const StateDictOptions& options = {}) {
  const StateDictReport report = compare_state_dict(file, model, options);
  if (!report.complete()) raise(FormatError(file.name(), "", "the state dict is not the model's; " + report.text()));
  for_each_parameter([&](std::string_view name, Role,
                         auto& tensor) { file.copy_to(options.prefix + torch_name(name), flat(tensor)); },
                     model);
}

/// Writes a model under PyTorch's names: safetensors.torch.load_file() gives a state dict that load_state_dict() takes.
/// Throws std::system_error with the path; what was there before stays then.
template <class Model>
void save_state_dict(const std::filesystem::path& path, const Model& model, std::string_view prefix = {}) {
  SafetensorsWriter writer;
  for_each_parameter([&](std::string_view name, Role,
                         const auto& tensor) { writer.add(std::string(prefix) + torch_name(name), tensor); },
                     model);
  writer.save(path);
}

}  // namespace heed::inline HEED_ABI
