#pragma once
// Writes safetensors files: tensors in name order, header padded to 8 bytes, replaced as a whole (atomic_file.hpp).

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include <heed/core/check.hpp>
#include <heed/core/quote.hpp>
#include <heed/core/tensor.hpp>
#include <heed/io/atomic_file.hpp>
#include <heed/io/dtype.hpp>
#include <heed/io/safetensors_header.hpp>

namespace heed::inline HEED_ABI {

/// Collects tensors and texts, then saves them. The same content gives the same bytes.
class SafetensorsWriter {
 public:
  /// Adds a tensor without copying it: it must live and stay as it is until save(). Throws heed::Error for a name that
  /// is taken, reserved, not UTF-8 or holds NUL.
  template <class T, int Rank>
  void add(std::string_view name, const Tensor<T, Rank>& tensor) {
    std::vector<Index> shape;
    for (const Index extent : extents(tensor)) shape.push_back(extent);
    insert(name, dtype_of<T>, std::move(shape), reinterpret_cast<const std::byte*>(tensor.data()), nullptr);
  }
  template <class T, int Rank>
  void add(std::string_view name, const Tensor<T, Rank>&& tensor) = delete;  // it would be gone at save()

  /// Adds a copy of `values` as a tensor of this shape; an empty shape is one number.
  template <class T>
  void add_copy(std::string_view name, const std::vector<Index>& shape, std::span<const T> values) {
    check_extents("SafetensorsWriter::add_copy", name, shape);
    Index count = 1;
    for (const Index extent : shape) count *= extent;
    check(count == static_cast<Index>(values.size()), [&] {
      return "SafetensorsWriter::add_copy: " + quote(name) + " has " + std::to_string(values.size()) +
             " values, wanted shape " + shape_text(shape);
    });
    std::shared_ptr<std::byte[]> copy(new std::byte[values.size_bytes() + 1]);
    if (!values.empty()) std::memcpy(copy.get(), values.data(), values.size_bytes());
    insert(name, dtype_of<T>, shape, copy.get(), copy);
  }
  template <class T>
  void add_scalar(std::string_view name, T value) {
    add_copy<T>(name, {}, std::span<const T>(&value, 1));
  }

  /// Sets a metadata text.
  void set_metadata(std::string_view key, std::string value) {
    check_text(key);
    check_text_utf8(value, "the metadata value of " + quote(key));
    metadata_[std::string(key)] = std::move(value);
  }

  /// Writes the file, or leaves what was there. Throws std::system_error with the path.
  void save(const std::filesystem::path& path) const {
    const std::string head = header();
    AtomicFile file(path);
    unsigned char length[8];
    for (std::size_t i = 0; i < 8; ++i) length[i] = static_cast<unsigned char>(head.size() >> (8 * i));
    file.write(length, 8);
    file.write(head);
    for (const auto& entry : tensors_) file.write(entry.second.data, static_cast<std::size_t>(entry.second.bytes));
    file.commit();
  }

 private:
  struct Entry {
    DType dtype;
    std::vector<Index> shape;
    const std::byte* data;
    Index bytes;
    std::shared_ptr<std::byte[]> owned;  // of copies
  };

  static std::string json_text(std::string_view text) { return nlohmann::json(text).dump(); }

  static void check_text_utf8(std::string_view text, const std::string& what) {
    bool valid = true;
    for (std::size_t at = 0; at < text.size() && valid;) {
      const std::size_t start = at;
      valid = !(next_code_point(text, at) == 0xFFFD && at == start + 1);
    }
    check(valid, [&] { return "SafetensorsWriter: " + what + " is not UTF-8"; });
  }
  static void check_text(std::string_view name) {
    check_text_utf8(name, quote(name));
    check(name.find('\0') == std::string_view::npos,
          [&] { return "SafetensorsWriter: the name " + quote(name) + " holds NUL"; });
  }

  void insert(std::string_view name, DType dtype, std::vector<Index> shape, const std::byte* data,
              std::shared_ptr<std::byte[]> owned) {
    check_text(name);
    check(name != metadata_key && !tensors_.contains(name),
          [&] { return "SafetensorsWriter: the name " + quote(name) + " is taken"; });
    check(static_cast<Index>(shape.size()) <= max_tensor_rank, [&] {
      return "SafetensorsWriter: " + quote(name) + " has rank " + std::to_string(shape.size()) + ", wanted at most " +
             std::to_string(max_tensor_rank);
    });
    Index bytes = dtype_info(dtype).bits / 8;
    for (const Index extent : shape) bytes = checked_product("SafetensorsWriter", name, bytes, extent);
    tensors_.emplace(std::string(name), Entry{dtype, std::move(shape), data, bytes, std::move(owned)});
  }

  std::string header() const {
    std::string text = "{";
    if (!metadata_.empty()) text += json_text(metadata_key) + ":" + nlohmann::json(metadata_).dump();
    Index offset = 0;
    for (const auto& [name, entry] : tensors_) {
      if (text.size() > 1) text += ',';
      text += json_text(name) + R"(:{"dtype":")" + std::string(dtype_info(entry.dtype).name) + R"(","shape":)" +
              nlohmann::json(entry.shape).dump() + R"(,"data_offsets":[)" + std::to_string(offset) + ',' +
              std::to_string(offset + entry.bytes) + "]}";
      offset += entry.bytes;
    }
    text += '}';
    text.append((8 - text.size() % 8) % 8, ' ');
    check(static_cast<Index>(text.size()) <= max_header_bytes &&
              static_cast<Index>(tensors_.size()) <= max_header_tensors,
          [&] {
            return "SafetensorsWriter: " + std::to_string(tensors_.size()) + " tensors with a header of " +
                   std::to_string(text.size()) + " bytes are more than a reader accepts";
          });
    return text;
  }

  std::map<std::string, Entry, std::less<>> tensors_;
  std::map<std::string, std::string, std::less<>> metadata_;
};

}  // namespace heed::inline HEED_ABI
