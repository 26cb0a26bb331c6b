// Bytes as a safetensors file and as a checkpoint: refused, or read within their own bounds.

#include <heed/io/checkpoint.hpp>

#include "fuzzing.hpp"

using namespace heed_fuzz;

namespace {

template <class T>
void read_values(const heed::SafetensorsFile& file, const std::string& name, const heed::TensorInfo& info) {
  try {
    require(static_cast<heed::Index>(file.values<T>(name).size()) == info.size(), "a tensor has its shape's size");
  } catch (const heed::FormatError& problem) {
    require_message(problem.what());
  }
}

void read_all(const heed::SafetensorsFile& file, std::size_t most) {
  heed::Index bytes = 0;
  for (const auto& [name, info] : file.tensors()) {
    require(info.begin <= info.end, "offsets run forwards");
    require(static_cast<heed::Index>(file.bytes(name).size()) == info.end - info.begin,
            "bytes() gives a tensor's bytes");
    bytes += info.end - info.begin;
    read_values<double>(file, name, info);
    read_values<float>(file, name, info);
    read_values<std::int64_t>(file, name, info);
    read_values<std::uint8_t>(file, name, info);
  }
  require(bytes <= static_cast<heed::Index>(most), "no byte belongs to two tensors");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static MemoryFile memory;
  const std::string_view bytes = text_of(data, size);
  bool parsed = false;
  try {
    const auto file = heed::SafetensorsFile::parse(bytes);
    parsed = true;
    read_all(file, size);
  } catch (const heed::FormatError& problem) {
    require_message(problem.what());
  }
  try {
    const heed::Checkpoint checkpoint(memory.holding(bytes));
    require(parsed, "a file is read like the same bytes in memory");
    checkpoint.verify([](const heed::NumberLists& input) { return input; });
  } catch (const heed::FormatError& problem) {
    require_message(problem.what());
  }
  return 0;
}
