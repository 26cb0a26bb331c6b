#pragma once
// PyTorch's state dicts in safetensors files: read into heed's layers and models by name, and written back, bit by bit.
//
//   const auto file = heed::SafetensorsFile::read("encoder.safetensors");
//   heed::load_state_dict(file, layer, {.prefix = "model.encoder.layers.0."});
//
// heed's layers name their parameters as PyTorch does, so a name is the same on both sides but for recurrent layers:
// "layers.1.reverse.weight_ih" is weight_ih_l1_reverse there. Exported by examples/weights/export_torch.py. A batch norm's
// num_batches_tracked, which heed does not count, is no tensor left over; PyTorch does not miss it either.

#include <filesystem>
#include <string>
#include <string_view>

#include <heed/io/safetensors_writer.hpp>
#include <heed/io/tensor_report.hpp>
#include <heed/nn/parameters.hpp>

namespace heed::inline HEED_ABI {

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

namespace detail {

/// PyTorch's count of a batch norm's batches, beside a running_var that is wanted.
inline bool is_batch_count(std::string_view name, const TensorReport& report) {
  constexpr std::string_view count = "num_batches_tracked";
  if (!name.ends_with(count)) return false;
  return report.wanted.contains(std::string(name.substr(0, name.size() - count.size())) + "running_var");
}

}  // namespace detail

/// Compares without loading.
template <class Model>
TensorReport compare_state_dict(const SafetensorsFile& file, const Model& model, const StateDictOptions& options = {}) {
  TensorReport report;
  for_each_parameter(
      [&]<class T, int Rank>(std::string_view name, Role, const Tensor<T, Rank>& tensor) {
        const Extents<Rank> shape = extents(tensor);
        report.expect<T>(file, options.prefix + torch_name(name), {shape.begin(), shape.end()});
      },
      model);
  if (options.extra == ExtraTensors::refuse)
    report.add_extra(file, [&](std::string_view name) {
      return name.starts_with(options.prefix) && !detail::is_batch_count(name, report);
    });
  return report;
}

/// Fills a model whose tensors have their sizes already; numbers of another type are converted. Throws FormatError with
/// TensorReport::text() unless everything fits; then nothing was loaded.
template <class Model>
void load_state_dict(const SafetensorsFile& file, Model& model, const StateDictOptions& options = {}) {
  compare_state_dict(file, model, options).require(file, "the state dict is not the model's");
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
