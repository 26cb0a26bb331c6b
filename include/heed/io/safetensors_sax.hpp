#pragma once
// What a safetensors header may say, piece by piece: the functions that the JSON reader calls with every bracket, name
// and value. Each refuses what the format does not allow at its place, so nothing is stored that was not understood.

#include <algorithm>
#include <cstdint>
#include <functional>
#include <iterator>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include <heed/core/check.hpp>
#include <heed/core/quote.hpp>
#include <heed/io/dtype.hpp>
#include <heed/io/json.hpp>

namespace heed::inline HEED_ABI {

inline constexpr Index max_header_bytes = 100'000'000;
inline constexpr Index max_header_tensors = 100'000;
inline constexpr Index max_tensor_rank = 8;
inline constexpr Index max_header_depth =
    4;  // of JSON brackets: refused here, whatever they hold; right headers have 3
inline constexpr std::string_view metadata_key = "__metadata__";

/// One tensor of a file: bytes [begin, end) of the data section.
struct TensorInfo {
  DType dtype = DType::f32;
  std::vector<Index> shape;
  Index begin = 0, end = 0;

  Index size() const {
    Index count = 1;
    for (const Index extent : shape) count *= extent;
    return count;
  }
};

struct SafetensorsHeader {
  std::map<std::string, TensorInfo, std::less<>> tensors;  // by name, as the writer orders them
  std::map<std::string, std::string, std::less<>> metadata;
};

namespace detail {

/// A pointer that tells where the JSON reader stands.
class CountingPointer {
 public:
  using iterator_category = std::forward_iterator_tag;
  using value_type = char;
  using difference_type = std::ptrdiff_t;
  using pointer = const char*;
  using reference = const char&;

  CountingPointer() = default;
  CountingPointer(const char* at, const char** seen) : at_(at), seen_(seen) {}
  reference operator*() const { return *at_; }
  CountingPointer& operator++() {
    *seen_ = ++at_;
    return *this;
  }
  CountingPointer operator++(int) {
    CountingPointer before = *this;
    ++*this;
    return before;
  }
  friend bool operator==(const CountingPointer& a, const CountingPointer& b) { return a.at_ == b.at_; }

 private:
  const char* at_ = nullptr;
  const char** seen_ = nullptr;
};

/// What nlohmann's reader calls while it reads a header. Each call refuses what the format does not allow at its place.
class HeaderHandler {
 public:
  HeaderHandler(std::string_view text, const std::string& file) : text_(text), file_(file), at_(text.data()) {}
  SafetensorsHeader take() { return std::move(header_); }
  CountingPointer begin() { return {text_.data(), &at_}; }
  CountingPointer end() { return {text_.data() + text_.size(), &at_}; }

  bool start_object(std::size_t) {
    descend();
    if (depth_ == 1) return true;
    if (depth_ != 2) refuse("a nested object where " + wanted(depth_ - 1) + " is wanted");
    fields_seen_ = 0;
    tensor_ = TensorInfo{};
    return true;
  }
  bool key(std::string& name) {
    if (depth_ == 1) return entry(name);
    if (in_metadata_) {
      if (name.find('\0') != std::string::npos) refuse("NUL in the metadata key " + quote(name));
      if (header_.metadata.contains(name)) refuse("the metadata key " + quote(name) + " comes twice");
      field_ = name;
      return true;
    }
    const unsigned bit = name == "dtype" ? 1 : name == "shape" ? 2 : name == "data_offsets" ? 4 : 0;
    if (bit == 0) refuse("unknown field " + quote(name) + " of tensor " + quote(entry_));
    if ((fields_seen_ & bit) != 0) refuse("the field " + name + " of tensor " + quote(entry_) + " comes twice");
    fields_seen_ |= bit;
    field_ = name;
    return true;
  }
  bool end_object() {
    if (depth_-- == 2) {
      if (!in_metadata_) finish_tensor();
      entry_.clear();
    }
    return true;
  }
  bool start_array(std::size_t) {
    descend();
    if (depth_ != 3 || in_metadata_ || field_ == "dtype") refuse("an array where " + wanted(depth_ - 1) + " is wanted");
    numbers_.clear();
    return true;
  }
  bool end_array() {
    --depth_;
    if (field_ == "shape") {
      tensor_.shape = numbers_;
    } else {
      if (numbers_.size() != 2)
        refuse_tensor("data_offsets has " + std::to_string(numbers_.size()) + " numbers, wanted 2");
      tensor_.begin = numbers_[0];
      tensor_.end = numbers_[1];
    }
    return true;
  }
  bool string(std::string& value) {
    if (depth_ == 2 && in_metadata_) {
      header_.metadata.emplace(field_, value);
      return true;
    }
    if (depth_ != 2 || field_ != "dtype")
      refuse("the string " + quote(value) + " where " + wanted(depth_) + " is wanted");
    const std::optional<DType> dtype = dtype_from_name(value);
    if (!dtype) refuse_tensor("unknown dtype " + quote(value));
    tensor_.dtype = *dtype;
    return true;
  }
  bool number_unsigned(std::uint64_t value) {
    if (depth_ != 3) refuse("the number " + std::to_string(value) + " where " + wanted(depth_) + " is wanted");
    if (value > static_cast<std::uint64_t>(PTRDIFF_MAX)) {
      refuse_tensor(field_ + " holds " + std::to_string(value) + ", wanted less than 2^63");
    }
    const Index most = field_ == "shape" ? max_tensor_rank : 2;
    if (static_cast<Index>(numbers_.size()) >= most) {
      refuse_tensor(field_ + " has " + std::to_string(numbers_.size() + 1) + " numbers or more, wanted at most " +
                    std::to_string(most));
    }
    numbers_.push_back(static_cast<Index>(value));
    return true;
  }
  bool number_integer(std::int64_t value) { return refuse_number(std::to_string(value)); }
  bool number_float(double, const std::string& text) { return refuse_number(text); }
  bool null() { return refuse("null where " + wanted(depth_) + " is wanted"); }
  bool boolean(bool) { return refuse("a boolean where " + wanted(depth_) + " is wanted"); }
  bool binary(nlohmann::json::binary_t&) { return refuse("binary data"); }
  template <class Exception>
  bool parse_error(std::size_t position, const std::string&, const Exception& error) {
    at_ = text_.data() + std::min(position, text_.size());
    return refuse("the header is not valid JSON: " + json_problem(error.what()));
  }

 private:
  [[noreturn]] bool refuse(const std::string& problem) const {
    raise(FormatError(file_, "byte " + std::to_string(8 + (at_ - text_.data())), problem));
  }
  [[noreturn]] void refuse_tensor(const std::string& problem) const {
    refuse("tensor " + quote(entry_) + ": " + problem);
  }
  bool refuse_number(const std::string& text) const {
    if (depth_ == 3) refuse_tensor(field_ + " holds " + text + ", wanted whole numbers from 0 to 2^63-1");
    return refuse("the number " + text + " where " + wanted(depth_) + " is wanted");
  }
  /// What the format has at this depth of brackets, after what was read.
  std::string wanted(Index depth) const {
    if (depth == 0) return "an object of tensors";
    if (depth == 1) return "an object for the entry " + quote(entry_);
    if (in_metadata_) return "a metadata text";
    if (depth >= 3 || field_ != "dtype") return "a list of whole numbers (tensor " + quote(entry_) + ")";
    return "the name of a dtype (tensor " + quote(entry_) + ")";
  }
  void descend() {
    if (++depth_ >= max_header_depth) {
      refuse("brackets nested " + std::to_string(max_header_depth) + " deep, wanted less");
    }
  }
  bool entry(const std::string& name) {
    in_metadata_ = name == metadata_key;
    if (name.find('\0') != std::string::npos) refuse("NUL in the tensor name " + quote(name));
    if (header_.tensors.contains(name) || (in_metadata_ && std::exchange(metadata_seen_, true))) {
      refuse("the name " + quote(name) + " comes twice");
    }
    if (static_cast<Index>(header_.tensors.size()) >= max_header_tensors) {
      refuse(std::to_string(header_.tensors.size() + 1) + " tensors or more, wanted at most " +
             std::to_string(max_header_tensors));
    }
    entry_ = name;
    field_.clear();
    return true;
  }
  void finish_tensor() {
    if (fields_seen_ != 7) {
      const char* missing = (fields_seen_ & 1) == 0 ? "dtype" : (fields_seen_ & 2) == 0 ? "shape" : "data_offsets";
      refuse_tensor(std::string("the field ") + missing + " is missing");
    }
    Index bits = dtype_info(tensor_.dtype).bits;  // with max(1, extent): a zero must not hide an overflow
    for (const Index extent : tensor_.shape) {
      if (__builtin_mul_overflow(bits, std::max<Index>(extent, 1), &bits)) {
        refuse_tensor("the size of shape " + shape_text(tensor_.shape) + " does not fit 63 bits");
      }
    }
    const bool empty = std::find(tensor_.shape.begin(), tensor_.shape.end(), 0) != tensor_.shape.end();
    const Index bytes = empty ? 0 : bits / 8;
    if (!empty && bits % 8 != 0) {
      refuse_tensor("shape " + shape_text(tensor_.shape) + " of " + std::string(dtype_info(tensor_.dtype).name) +
                    " has " + std::to_string(bits) + " bits, wanted whole bytes");
    }
    if (tensor_.begin > tensor_.end) {
      refuse_tensor("data_offsets run backwards, from " + std::to_string(tensor_.begin) + " to " +
                    std::to_string(tensor_.end));
    }
    if (tensor_.end - tensor_.begin != bytes) {
      refuse_tensor("data_offsets hold " + std::to_string(tensor_.end - tensor_.begin) + " bytes, shape " +
                    shape_text(tensor_.shape) + " of " + std::string(dtype_info(tensor_.dtype).name) + " needs " +
                    std::to_string(bytes));
    }
    header_.tensors.emplace(std::move(entry_), std::move(tensor_));
  }

  std::string_view text_;
  const std::string& file_;
  const char* at_;
  SafetensorsHeader header_;
  Index depth_ = 0;
  bool in_metadata_ = false, metadata_seen_ = false;
  std::string entry_, field_;
  unsigned fields_seen_ = 0;
  TensorInfo tensor_;
  std::vector<Index> numbers_;
};

}  // namespace detail
}  // namespace heed::inline HEED_ABI
