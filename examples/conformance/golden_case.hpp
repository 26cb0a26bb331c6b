#pragma once
// One golden case: what is given, what is expected, and how far the answers were from it. A runner reads what is given
// and hands back every answer; a tensor of role output or grad that nobody handed back fails the case.

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include <heed/core/tensor.hpp>
#include <heed/io/json.hpp>
#include <heed/io/safetensors.hpp>

namespace conformance {

using heed::Index;
using heed::Tensor;

/// heed has no function for this case; thrown by runners, and where an operation has no runner.
struct NotOffered : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// The answers of one case differ from what is expected, or cannot be compared with it.
struct Mismatch : std::runtime_error {
  using std::runtime_error::runtime_error;
};

class Case {
 public:
  /// Reads the JSON and, where there is one, the safetensors file beside it. Throws heed::FormatError,
  /// std::system_error.
  explicit Case(const std::filesystem::path& json_path);

  const std::string& id() const { return id_; }
  const std::string& operation() const { return operation_; }
  const std::string& dtype() const { return dtype_; }
  const nlohmann::json& json() const { return json_; }

  /// An option, or NotOffered when the case does not have it.
  template <class T>
  T option(const std::string& name) const {
    const nlohmann::json& value = raw_option(name);
    return heed::json_field<T>({{name, value}}, name, id_);
  }
  /// The same with a default for one that is missing or null.
  template <class T>
  T option(const std::string& name, T otherwise) const {
    return has_option(name) ? option<T>(name) : otherwise;
  }
  bool has_option(const std::string& name) const;  // and not null

  /// Whether a tensor of role input, param or upstream is given.
  bool gives(const std::string& name) const;
  /// Whether a tensor of role output or grad is expected.
  bool expects(const std::string& name) const;
  /// A given tensor. Those that are expected cannot be read: an answer must not come from its own solution.
  template <class T, int Rank>
  Tensor<T, Rank> given(const std::string& name) const {
    return tensors().template get<T, Rank>(checked_given(name));
  }
  /// A given tensor of any rank, flat.
  template <class T>
  std::vector<T> given_values(const std::string& name) const {
    return tensors().template values<T>(checked_given(name));
  }
  const std::vector<Index>& given_shape(const std::string& name) const {
    return tensors().info(checked_given(name)).shape;
  }
  heed::DType given_dtype(const std::string& name) const { return tensors().info(checked_given(name)).dtype; }
  /// The shape, and nothing else, of an expected tensor.
  const std::vector<Index>& expected_shape(const std::string& name) const;

  /// Hands back an answer, to be compared with the expected tensor of this name. Throws Mismatch for another shape.
  template <class T, int Rank>
  void answer(const std::string& name, const Tensor<T, Rank>& values) {
    std::vector<Index> shape;
    for (const Index extent : heed::extents(values)) shape.push_back(extent);
    answer(name, shape, {values.data(), values.data() + values.size()});
  }
  void answer(const std::string& name, const std::vector<Index>& shape, const std::vector<double>& values);
  void answer_number(const std::string& name, double value) { answer(name, {}, {value}); }
  /// The same where the expected tensor is not in the file but in the JSON.
  void answer_expected(const std::string& what, double found, double expected);
  void answer_text(const std::string& what, const std::string& found, const std::string& expected);

  /// Throws Mismatch when an answer was out of tolerance or an expected tensor had no answer.
  void finish() const;
  /// The largest error over its tolerance, and the tensor that has it.
  double worst() const { return worst_; }
  const std::string& worst_tensor() const { return worst_tensor_; }
  bool answered_any() const { return !answered_.empty(); }

 private:
  const heed::SafetensorsFile& tensors() const;
  const nlohmann::json& raw_option(const std::string& name) const;
  const std::string& checked_given(const std::string& name) const;
  const std::string& role(const std::string& name) const;
  void compare(const std::string& what, double found, double expected);

  std::string id_, operation_, dtype_;
  nlohmann::json json_;
  std::optional<heed::SafetensorsFile> file_;
  std::map<std::string, std::string> roles_;
  double rtol_ = 0, atol_ = 0, worst_ = 0;
  std::string worst_tensor_;
  std::map<std::string, bool> answered_;
};

}  // namespace conformance
