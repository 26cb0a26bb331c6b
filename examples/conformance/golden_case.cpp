#include "golden_case.hpp"

#include <cmath>
#include <limits>
#include <sstream>

#include <heed/core/quote.hpp>
#include <heed/io/json.hpp>

namespace conformance {
namespace {

std::string read_text(const std::filesystem::path& path) {
  heed::detail::InputFile file(path);
  std::string text(static_cast<std::size_t>(file.size()), ' ');
  file.read(text.data(), file.size());
  return text;
}

std::string number_text(double value) {
  std::ostringstream text;
  text.precision(17);
  text << value;
  return text.str();
}

/// The shape and dtype that the JSON and the tensor file give must be the same.
void check_description(const nlohmann::json& described, const heed::TensorInfo& info, const std::string& place) {
  const auto shape = heed::json_field<std::vector<Index>>(described, "shape", place);
  const auto dtype = heed::json_field<std::string>(described, "dtype", place);
  if (shape == info.shape && dtype == heed::dtype_info(info.dtype).name) return;
  throw heed::FormatError(place, "", "the JSON and the safetensors file describe it differently");
}

}  // namespace

Case::Case(const std::filesystem::path& json_path) {
  const std::string place = heed::escaped(json_path.string());
  json_ = heed::parse_json(read_text(json_path), place);
  id_ = heed::json_field<std::string>(json_, "id", place);
  operation_ = heed::json_field<std::string>(json_, "op", place);
  dtype_ = heed::json_field<std::string>(json_, "dtype", place);
  const auto tolerance = heed::json_field<nlohmann::json>(json_, "tolerance", place);
  rtol_ = heed::json_field<double>(tolerance, "rtol", place);
  atol_ = heed::json_field<double>(tolerance, "atol", place);
  if (!json_.contains("tensors")) return;
  std::filesystem::path data = json_path;
  file_ = heed::SafetensorsFile::read(data.replace_extension(".safetensors"));
  for (const auto& [name, described] : json_["tensors"].items()) {
    const std::string where = place + ": tensor " + heed::quote(name);
    check_description(described, file_->info(name), where);
    roles_[name] = heed::json_field<std::string>(described, "role", where);
  }
  for (const std::string& name : file_->names()) {
    if (!roles_.contains(name)) throw heed::FormatError(place, "", "tensor " + heed::quote(name) + " has no role");
  }
}

bool Case::has_option(const std::string& name) const {
  const auto options = json_.find("options");
  return options != json_.end() && options->contains(name) && !(*options)[name].is_null();
}

const nlohmann::json& Case::raw_option(const std::string& name) const {
  if (!has_option(name)) throw NotOffered("the option " + name + " is missing");
  return json_["options"][name];
}

const heed::SafetensorsFile& Case::tensors() const {
  if (!file_) throw heed::FormatError(id_, "", "the case has no tensors");
  return *file_;
}

const std::string& Case::role(const std::string& name) const {
  static const std::string none;
  const auto found = roles_.find(name);
  return found == roles_.end() ? none : found->second;
}

bool Case::gives(const std::string& name) const {
  return role(name) == "input" || role(name) == "param" || role(name) == "upstream";
}
bool Case::expects(const std::string& name) const { return role(name) == "output" || role(name) == "grad"; }

const std::string& Case::checked_given(const std::string& name) const {
  if (!gives(name)) throw NotOffered("the tensor " + name + " is not given");
  return name;
}

const std::vector<Index>& Case::expected_shape(const std::string& name) const {
  if (!expects(name)) throw NotOffered("the tensor " + name + " is not expected");
  return tensors().info(name).shape;
}

void Case::compare(const std::string& what, double found, double expected) {
  const double infinite = std::numeric_limits<double>::infinity();
  double ratio = 0;
  if (std::isnan(expected) || std::isnan(found)) {
    ratio = std::isnan(expected) && std::isnan(found) ? 0 : infinite;
  } else if (found != expected) {
    const double tolerance = atol_ + rtol_ * std::abs(expected), error = std::abs(found - expected);
    ratio = tolerance > 0 && std::isfinite(expected) ? error / tolerance : infinite;
  }
  if (ratio > worst_ || worst_tensor_.empty()) {
    worst_ = ratio;
    worst_tensor_ = what;
    if (ratio > 1) worst_tensor_ += ", found " + number_text(found) + ", wanted " + number_text(expected);
  }
}

void Case::answer(const std::string& name, const std::vector<Index>& shape, const std::vector<double>& values) {
  if (!expects(name)) throw Mismatch("nobody expects the tensor " + name);
  const heed::TensorInfo& info = tensors().info(name);
  if (shape != info.shape) {
    throw Mismatch(name + " has shape " + heed::shape_text(shape) + ", wanted " + heed::shape_text(info.shape));
  }
  const std::vector<double> expected = tensors().values<double>(name);
  if (expected.size() != values.size()) throw Mismatch(name + " has " + std::to_string(values.size()) + " values");
  for (std::size_t i = 0; i < values.size(); ++i) {
    compare(values.size() == 1 ? name : name + '[' + std::to_string(i) + ']', values[i], expected[i]);
  }
  answered_[name] = true;
}

void Case::answer_expected(const std::string& what, double found, double expected) {
  compare(what, found, expected);
  answered_[what] = true;
}

void Case::answer_text(const std::string& what, const std::string& found, const std::string& expected) {
  if (found != expected) throw Mismatch(what + " is " + heed::quote(found) + ", wanted " + heed::quote(expected));
  answered_[what] = true;
}

void Case::finish() const {
  for (const auto& [name, of_tensor] : roles_) {
    if (expects(name) && !answered_.contains(name)) throw Mismatch("the tensor " + name + " was left uncompared");
  }
  if (answered_.empty()) throw Mismatch("nothing was compared");
  if (!(worst_ <= 1)) throw Mismatch("error " + number_text(worst_) + " of the tolerance (" + worst_tensor_ + ")");
}

}  // namespace conformance
