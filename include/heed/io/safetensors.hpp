#pragma once
// A safetensors file, read strictly and whole. The header is checked against the size of the file before anything is
// allocated for the data; the data is read into memory, not mapped, so a file that changes later changes nothing here.
// Format: https://github.com/huggingface/safetensors

#include <cerrno>
#include <cmath>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <heed/core/check.hpp>
#include <heed/core/quote.hpp>
#include <heed/core/tensor.hpp>
#include <heed/io/dtype.hpp>
#include <heed/io/safetensors_header.hpp>

namespace heed::inline HEED_ABI {

namespace detail {

inline void raise_system(int code, const std::string& what) {
  raise(std::system_error(code, std::generic_category(), what));
}

/// An open regular file. Folders, pipes and devices are refused (a pipe would block, a device has no size).
class InputFile {
 public:
  explicit InputFile(const std::filesystem::path& path) : name_(path.string()) {
    descriptor_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (descriptor_ < 0) raise_system(errno, "cannot open " + quote(name_));
    struct stat status {};
    const int failed = ::fstat(descriptor_, &status) != 0 ? errno : 0;
    const int code = failed != 0 ? failed : S_ISDIR(status.st_mode) ? EISDIR : S_ISREG(status.st_mode) ? 0 : EINVAL;
    if (code != 0) {
      ::close(descriptor_);
      raise_system(code, (code == EINVAL ? "not a regular file: " : "cannot read ") + quote(name_));
    }
    size_ = static_cast<Index>(status.st_size);
  }
  InputFile(const InputFile&) = delete;
  InputFile& operator=(const InputFile&) = delete;
  ~InputFile() { ::close(descriptor_); }

  const std::string& name() const { return name_; }
  Index size() const { return size_; }

  /// Reads the next `count` bytes, or refuses: the file was cut while it was read.
  void read(void* into, Index count) {
    for (Index done = 0; done < count;) {
      const ssize_t got = ::read(descriptor_, static_cast<char*>(into) + done, static_cast<std::size_t>(count - done));
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) raise_system(errno, "cannot read " + quote(name_));
      if (got == 0) {
        raise(FormatError(escaped(name_), "byte " + std::to_string(at_ + done),
                          "the file ends here; it had " + std::to_string(size_) + " bytes when it was opened"));
      }
      done += got;
    }
    at_ += count;
  }

 private:
  std::string name_;
  int descriptor_ = -1;
  Index size_ = 0, at_ = 0;
};

/// The header's length from the first 8 bytes of a file of `file_size` bytes.
inline Index header_length(std::span<const unsigned char, 8> prefix, Index file_size, const std::string& file) {
  std::uint64_t length = 0;
  for (std::size_t i = 0; i < 8; ++i) length |= static_cast<std::uint64_t>(prefix[i]) << (8 * i);
  const std::string found = "a header of " + std::to_string(length) + " bytes";
  if (length > static_cast<std::uint64_t>(max_header_bytes)) {
    raise(FormatError(file, "byte 0",
                      found + ", the limit is " + std::to_string(max_header_bytes) + "; is this a safetensors file?"));
  }
  if (length > static_cast<std::uint64_t>(file_size - 8)) {
    raise(
        FormatError(file, "byte 0",
                    found + " in a file of " + std::to_string(file_size) + " bytes: cut off, or no safetensors file"));
  }
  return static_cast<Index>(length);
}

inline void check_file_size(Index size, const std::string& file) {
  if (size < 8)
    raise(FormatError(file, "byte " + std::to_string(size), "shorter than 8 bytes: not a safetensors file"));
}

}  // namespace detail

/// Tensors and texts by name. A value: move it, share it, keep it as long as needed.
class SafetensorsFile {
 public:
  /// Reads a file. Throws FormatError (content) or std::system_error (missing, folder, pipe, no permission).
  static SafetensorsFile read(const std::filesystem::path& path) {
    detail::InputFile input(path);
    SafetensorsFile file(escaped(input.name()));
    detail::check_file_size(input.size(), file.name_);
    unsigned char prefix[8];
    input.read(prefix, 8);
    std::string text(static_cast<std::size_t>(detail::header_length(prefix, input.size(), file.name_)), ' ');
    input.read(text.data(), static_cast<Index>(text.size()));
    const Index data_size = input.size() - 8 - static_cast<Index>(text.size());
    file.header_ = parse_safetensors_header(text, data_size, file.name_);
    file.data_.reset(new std::byte[static_cast<std::size_t>(data_size)]);
    input.read(file.data_.get(), data_size);
    return file;
  }
  /// Reads the bytes of a file that is in memory; `name` stands in messages.
  static SafetensorsFile parse(std::string_view bytes, std::string name = "memory") {
    SafetensorsFile file(std::move(name));
    const auto size = static_cast<Index>(bytes.size());
    detail::check_file_size(size, file.name_);
    unsigned char prefix[8];
    std::memcpy(prefix, bytes.data(), 8);
    const Index length = detail::header_length(prefix, size, file.name_);
    const std::string_view data = bytes.substr(static_cast<std::size_t>(8 + length));
    file.header_ = parse_safetensors_header(bytes.substr(8, static_cast<std::size_t>(length)),
                                            static_cast<Index>(data.size()), file.name_);
    file.data_.reset(new std::byte[data.size()]);
    if (!data.empty()) std::memcpy(file.data_.get(), data.data(), data.size());
    return file;
  }

  /// The file's name as messages show it.
  const std::string& name() const { return name_; }
  const std::map<std::string, TensorInfo, std::less<>>& tensors() const { return header_.tensors; }
  const std::map<std::string, std::string, std::less<>>& metadata() const { return header_.metadata; }
  bool contains(std::string_view tensor) const { return header_.tensors.contains(tensor); }
  std::vector<std::string> names() const {
    std::vector<std::string> all;
    for (const auto& entry : header_.tensors) all.push_back(entry.first);
    return all;
  }
  /// dtype and shape of a tensor. Throws FormatError when the file has none of this name.
  const TensorInfo& info(std::string_view tensor) const {
    const auto found = header_.tensors.find(tensor);
    if (found == header_.tensors.end()) raise(FormatError(name_, "", "there is no tensor " + quote(tensor)));
    return found->second;
  }

  /// Copies a tensor of this rank. float and double accept every number type of the file (rounded where they are
  /// narrower); integers accept integers and booleans that fit; bool accepts BOOL, where any byte but 0 is true.
  template <class T, int Rank>
  Tensor<T, Rank> get(std::string_view tensor) const {
    const TensorInfo& found = info(tensor);
    if (static_cast<int>(found.shape.size()) != Rank) {
      refuse(tensor, "has shape " + shape_text(found.shape) + ", wanted rank " + std::to_string(Rank));
    }
    Extents<Rank> shape{};
    for (std::size_t axis = 0; axis < shape.size(); ++axis) shape[axis] = found.shape[axis];
    Tensor<T, Rank> result(shape);
    copy_values(tensor, found, result.data());
    return result;
  }
  /// Copies a tensor of any rank as one row of numbers, converted as get does.
  template <class T>
  std::vector<T> values(std::string_view tensor) const {
    static_assert(!std::is_same_v<T, bool>,
                  "std::vector<bool> has no data(): use get<bool, Rank> or values<std::uint8_t>");
    const TensorInfo& found = info(tensor);
    std::vector<T> result(static_cast<std::size_t>(found.size()));
    copy_values(tensor, found, result.data());
    return result;
  }
  /// Copies a tensor of any rank into memory of exactly its size, converted as get does.
  template <class T>
  void copy_to(std::string_view tensor, std::span<T> into) const {
    const TensorInfo& found = info(tensor);
    check_extent("SafetensorsFile::copy_to", "into", "size", static_cast<Index>(into.size()), found.size());
    copy_values(tensor, found, into.data());
  }
  /// The bytes of a tensor as the file holds them; not aligned to the element.
  std::span<const std::byte> bytes(std::string_view tensor) const {
    const TensorInfo& found = info(tensor);
    return {data_.get() + found.begin, static_cast<std::size_t>(found.end - found.begin)};
  }

 private:
  explicit SafetensorsFile(std::string name) : name_(std::move(name)) {}

  [[noreturn]] void refuse(std::string_view tensor, const std::string& problem) const {
    raise(FormatError(name_, "", "tensor " + quote(tensor) + " " + problem));
  }

  template <class T>
  void copy_values(std::string_view tensor, const TensorInfo& found, T* into) const {
    const std::string type(dtype_info(found.dtype).name);
    if (!is_loadable(found.dtype)) refuse(tensor, "has dtype " + type + ", which heed has no type for");
    const bool to_integer = std::is_integral_v<T>;
    if (to_integer && (is_floating(found.dtype) || (std::is_same_v<T, bool> && found.dtype != DType::boolean))) {
      refuse(tensor, "has dtype " + type + ", wanted " + (std::is_same_v<T, bool> ? "BOOL" : "integers"));
    }
    const std::byte* data = data_.get() + found.begin;
    const Index count = found.size();
    if (found.dtype == dtype_of<T> && found.dtype != DType::boolean) {
      if (count > 0) std::memcpy(into, data, static_cast<std::size_t>(found.end - found.begin));
      return;
    }
    for (Index i = 0; i < count; ++i) {
      into[i] = with_element(found.dtype, data, i, [&](auto value) { return convert<T>(tensor, i, value); });
    }
  }

  template <class T, class Value>
  T convert(std::string_view tensor, Index i, Value value) const {
    if constexpr (std::is_integral_v<T> && std::is_integral_v<Value> && !std::is_same_v<T, bool> &&
                  !std::is_same_v<Value, bool>) {
      if (!std::in_range<T>(value)) {
        refuse(tensor, "holds " + std::to_string(value) + " at element " + std::to_string(i) + ", which does not fit " +
                           std::string(dtype_info(dtype_of<T>).name));
      }
    }
    return static_cast<T>(value);
  }

  std::string name_;
  SafetensorsHeader header_;
  std::unique_ptr<std::byte[]> data_;
};

}  // namespace heed::inline HEED_ABI
