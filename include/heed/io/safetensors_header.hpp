#pragma once
// The JSON header of a safetensors file, read strictly: every byte of the data belongs to exactly one tensor, no name
// or field comes twice, no number is rounded. Stricter than the reference reader where that one lets a file mean two
// things.

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include <heed/core/check.hpp>
#include <heed/core/quote.hpp>
#include <heed/io/safetensors_sax.hpp>

namespace heed::inline HEED_ABI {

namespace detail {

/// Refuses holes, overlaps, and bytes that belong to no tensor.
inline void check_layout(const SafetensorsHeader& header, Index data_size, const std::string& file, Index data_begin) {
  using Entry = std::pair<const std::string, TensorInfo>;
  std::vector<const Entry*> order;
  for (const Entry& entry : header.tensors) order.push_back(&entry);
  std::sort(order.begin(), order.end(), [](const Entry* a, const Entry* b) {
    return std::pair(a->second.begin, a->second.end) < std::pair(b->second.begin, b->second.end);
  });
  Index next = 0;
  const auto refuse = [&](const std::string& problem) {
    raise(FormatError(file, "byte " + std::to_string(data_begin + next), problem));
  };
  for (const Entry* entry : order) {
    const auto& [name, tensor] = *entry;
    const std::string begin = std::to_string(tensor.begin), end = std::to_string(tensor.end);
    if (tensor.end > data_size) {
      refuse("tensor " + quote(name) + " ends at byte " + end + " of the data, past the end of its " +
             std::to_string(data_size));
    }
    if (tensor.begin > next) {
      refuse("no tensor covers the bytes " + std::to_string(next) + " to " + begin + " before tensor " + quote(name));
    }
    if (tensor.begin < next) {
      refuse("tensor " + quote(name) + " begins at byte " + begin + " and overlaps the one before it, which ends at " +
             std::to_string(next));
    }
    next = tensor.end;
  }
  if (next != data_size) {
    refuse(std::to_string(data_size - next) + " bytes behind the last tensor");
  }
}

}  // namespace detail

/// Reads the header `text` of a file whose data section has `data_size` bytes. Throws FormatError, with the byte
/// counted from the start of the file.
inline SafetensorsHeader parse_safetensors_header(std::string_view text, Index data_size, const std::string& file) {
  if (text.empty() || text.front() != '{') raise(FormatError(file, "byte 8", "the header does not begin with {"));
  detail::HeaderHandler handler(text, file);
  nlohmann::json::sax_parse(handler.begin(), handler.end(), &handler);
  SafetensorsHeader header = handler.take();
  detail::check_layout(header, data_size, file, 8 + static_cast<Index>(text.size()));
  return header;
}

}  // namespace heed::inline HEED_ABI
