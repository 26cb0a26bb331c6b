#pragma once
// Checkpoints: a model's tensors under their dotted names ("encoder.weight_ih") in a safetensors file that other
// frameworks can read, and beside them what heed adds: a `heed` metadata block (format version, configuration, who
// wrote it, a self-test), texts (vocabularies) and further sections of tensors (optimizer moments), whose names begin with "heed:".

#include <cmath>
#include <concepts>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <heed/core/check.hpp>
#include <heed/core/quote.hpp>
#include <heed/io/json.hpp>
#include <heed/io/safetensors.hpp>
#include <heed/io/safetensors_writer.hpp>
#include <heed/io/self_test.hpp>
#include <heed/io/tensor_report.hpp>
#include <heed/nn/parameters.hpp>
#include <heed/version.hpp>

namespace heed::inline HEED_ABI {

inline constexpr int checkpoint_format_version = 1;
inline constexpr std::string_view section_prefix = "heed:";  // no field name holds a colon

/// Who reads and writes checkpoints here: "heed 0.1.0, avx512". Checkpoint::written_by() has the writer's.
inline std::string library_text() {
  const BuildInfo info = build_info();
  return "heed " + info.version + ", " + std::string(info.isa);
}

namespace detail {

/// The name of a tensor in the file: the model itself stands at the top level.
inline std::string tensor_name(std::string_view section, std::string_view name) {
  if (section.empty()) return std::string(name);
  return std::string(section_prefix) + std::string(section) + '.' + std::string(name);
}

}  // namespace detail

/// Collects what a checkpoint holds; the tensors added must live until save().
class CheckpointWriter {
 public:
  /// The configuration, a JSON object as text, kept as given and handed back by Checkpoint::config().
  void set_config(std::string_view json) { config_ = parse_json(json, "CheckpointWriter::set_config"); }
  /// A text under a name, for instance a vocabulary.
  void set_text(const std::string& name, std::string text) { texts_[name] = std::move(text); }
  /// What a loader runs to see that the model is still the same. Throws Error for a number that is not finite and a
  /// tolerance outside [0, 1).
  void set_self_test(SelfTest test) {
    std::string wrong = detail::find_non_finite("input", test.input);
    if (wrong.empty()) wrong = detail::find_non_finite("output", test.output);
    check(wrong.empty(), [&] { return "CheckpointWriter::set_self_test: " + wrong + " is not finite"; });
    check(test.tolerance >= 0 && test.tolerance < 1, [&] {
      return "CheckpointWriter::set_self_test: tolerance is " + detail::short_number(test.tolerance) +
             ", wanted from 0 to below 1";
    });
    self_test_ = std::move(test);
  }
  /// Every tensor of a model (or a gradient, or a moment); the empty section is the model itself.
  template <class Model>
  void add(std::string_view section, const Model& model) {
    for_each_parameter([&](std::string_view name, Role,
                           const auto& tensor) { tensors_.add(detail::tensor_name(section, name), tensor); },
                       model);
  }
  /// One more tensor or number in a section.
  template <class T, int Rank>
  void add_tensor(std::string_view section, std::string_view name, const Tensor<T, Rank>& tensor) {
    tensors_.add(detail::tensor_name(section, name), tensor);
  }
  template <class T, int Rank>
  void add_tensor(std::string_view, std::string_view, const Tensor<T, Rank>&&) = delete;  // it would be gone at save()
  template <class T>
  void add_scalar(std::string_view section, std::string_view name, T value) {
    tensors_.add_scalar(detail::tensor_name(section, name), value);
  }
  /// Replaces the file as a whole. Throws std::system_error with the path.
  void save(const std::filesystem::path& path) {
    const BuildInfo info = build_info();
    nlohmann::json block = {{"format_version", checkpoint_format_version},
                            {"library", "heed " + info.version},
                            {"isa", std::string(info.isa)},
                            {"config", config_},
                            {"texts", texts_}};
    if (self_test_) block["self_test"] = self_test_json(*self_test_);
    tensors_.set_metadata("heed", block.dump());
    tensors_.save(path);
  }

 private:
  nlohmann::json config_ = nlohmann::json::object();
  std::map<std::string, std::string> texts_;
  std::optional<SelfTest> self_test_;
  SafetensorsWriter tensors_;
};

/// A checkpoint that was read. A safetensors file of another program is one without configuration and texts.
class Checkpoint {
 public:
  /// Throws std::system_error, or FormatError: not safetensors, a damaged heed block, another format version.
  explicit Checkpoint(const std::filesystem::path& path) : file_(SafetensorsFile::read(path)) {
    const auto found = file_.metadata().find("heed");
    if (found == file_.metadata().end()) return;
    const std::string place = file_.name() + ": the heed block";
    const nlohmann::json block = parse_json(found->second, place);
    const int version = json_field<int>(block, "format_version", place);
    if (version != checkpoint_format_version) {
      raise(FormatError(file_.name(), "",
                        "format version " + std::to_string(version) + ", this heed reads version " +
                            std::to_string(checkpoint_format_version)));
    }
    config_ = json_field<nlohmann::json>(block, "config", place).dump();
    texts_ = json_field<std::map<std::string, std::string>>(block, "texts", place);
    written_by_ =
        json_field<std::string>(block, "library", place) + ", " + json_field<std::string>(block, "isa", place);
    if (block.contains("self_test")) self_test_ = self_test_from_json(block["self_test"], place + ": the self-test");
  }

  const SafetensorsFile& file() const { return file_; }
  /// JSON text; empty when heed did not write the file.
  const std::string& config() const { return config_; }
  /// "heed 0.1.0, avx512"; empty when heed did not write the file.
  const std::string& written_by() const { return written_by_; }
  bool has_text(const std::string& name) const { return texts_.contains(name); }
  const std::string& text(const std::string& name) const {
    const auto found = texts_.find(name);
    if (found == texts_.end()) raise(FormatError(file_.name(), "", "the text " + quote(name) + " is missing"));
    return found->second;
  }
  /// The input, the expected output and the tolerance that the file carries, if it does.
  const std::optional<SelfTest>& self_test() const { return self_test_; }
  bool has_self_test() const { return self_test_.has_value(); }
  /// Runs the file's self-test, if it has one: run(input) gives the model's output, both NumberLists. Throws FormatError
  /// that names the first number that is not as it was when the file was written, who wrote it and who reads it.
  template <class Run>
  void verify(Run&& run) const {
    if (!self_test_) return;
    const std::string difference =
        self_test_difference(self_test_->output, run(self_test_->input), self_test_->tolerance);
    if (difference.empty()) return;
    raise(FormatError(file_.name(), "",
                      "the self-test failed: " + difference + "; these are not the weights that were saved by " +
                          escaped(written_by_) + ", or this " + library_text() + " computes something else"));
  }
  bool has_section(std::string_view section) const {
    const std::string prefix = detail::tensor_name(section, "");
    const auto first = file_.tensors().lower_bound(prefix);
    return first != file_.tensors().end() && first->first.starts_with(prefix);
  }
  template <class T>
  T scalar(std::string_view section, std::string_view name) const {
    return file_.get<T, 0>(detail::tensor_name(section, name))();
  }
  template <class T, int Rank>
  Tensor<T, Rank> tensor(std::string_view section, std::string_view name) const {
    return file_.get<T, Rank>(detail::tensor_name(section, name));
  }

  /// Loads a section into a model whose tensors have their sizes already. Throws FormatError that lists every tensor
  /// that is missing, left over or of another shape or type; then nothing was loaded.
  template <class Model>
  void load(std::string_view section, Model& model) const {
    TensorReport report;
    for_each_parameter(
        [&]<class T, int Rank>(std::string_view name, Role, const Tensor<T, Rank>& tensor) {
          const Extents<Rank> shape = extents(tensor);
          report.expect<T>(file_, detail::tensor_name(section, name), {shape.begin(), shape.end()});
        },
        std::as_const(model));
    report.add_extra(file_, [&](std::string_view name) { return belongs_to(section, name); });
    report.require(file_, "the tensors are not the model's");
    for_each_parameter([&](std::string_view name, Role,
                           auto& tensor) { file_.copy_to(detail::tensor_name(section, name), flat(tensor)); },
                       model);
  }

 private:
  static bool belongs_to(std::string_view section, std::string_view name) {
    return section.empty() ? !name.starts_with(section_prefix) : name.starts_with(detail::tensor_name(section, ""));
  }
  SafetensorsFile file_;
  std::string config_, written_by_;
  std::map<std::string, std::string> texts_;
  std::optional<SelfTest> self_test_;
};

/// Writes a model's tensors. Throws std::system_error with the path; what was there before stays then.
template <class Model>
void save(const std::filesystem::path& path, const Model& model) {
  CheckpointWriter writer;
  writer.add("", model);
  writer.save(path);
}

/// Reads a model's tensors; all of them and nothing else must be in the file, or nothing is loaded (Checkpoint::load).
template <class Model>
void load(const std::filesystem::path& path, Model& model) {
  Checkpoint(path).load("", model);
}

/// The name of a model's first tensor that holds a NaN or an infinity; empty when all are finite.
template <class Model>
std::string find_non_finite(const Model& model) {
  std::string first;
  for_each_parameter(
      [&](std::string_view name, Role, const auto& tensor) {
        for (const auto value : flat(tensor)) {
          if (first.empty() && !std::isfinite(static_cast<double>(value))) first = name;
        }
      },
      model);
  return first;
}

}  // namespace heed::inline HEED_ABI
