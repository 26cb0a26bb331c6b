#pragma once
// What a refused attention call must be: a heed::Error whose message is checked by the caller, and outputs that keep
// every canary value.

#include <algorithm>
#include <string>
#include <vector>

#include <heed/attention/scaled_dot_product_backward.hpp>

#include "attention/attention_testing.hpp"

namespace heed_test {

using View4 = heed::View<const float, 4>;
using Options = heed::AttentionOptions<float>;

inline Tensor<float, 4> ones(Index a, Index b, Index c, Index d) {
  Tensor<float, 4> x(a, b, c, d);
  x.setConstant(1);
  return x;
}

/// Memory in which every number is a canary until something writes.
struct Canaries {
  static constexpr float value = 42;
  std::vector<float> memory = std::vector<float>(4096, value);
  bool untouched() const {
    return std::all_of(memory.begin(), memory.end(), [](float x) { return x == value; });
  }
};

/// The message of attend_into, which must refuse these and leave outputs of the right shape alone.
inline std::string refusal(const View4& query, const View4& key, const View4& value, const Options& options = {}) {
  Canaries canaries;
  const auto extent = [](Index found) { return std::clamp<Index>(found, 0, 8); };
  const Extents<4> shape{extent(query.extents[0]), extent(query.extents[1]), extent(query.extents[2]),
                         extent(value.extents[3])};
  heed::Workspace workspace(1 << 20);
  heed::Serial serial;
  const std::string message = error_of([&] {
    heed::attend_into(heed::AttentionOutputs<float>{.output = {canaries.memory.data(), shape}}, query, key, value,
                      options, workspace, serial);
  });
  CHECK(canaries.untouched());
  if (!message.empty()) {  // the same words from the call that allocates
    const std::string again = error_of([&] { heed::attend(query, key, value, options); });
    CHECK(again == "attend" + message.substr(message.find(':')));
  }
  return message;
}

/// The message for an output view over `canaries`, of a call that is right otherwise.
inline std::string output_refusal(const heed::View<float, 4>& output, const Canaries& canaries,
                                  const Tensor<float, 4>& input) {
  heed::Workspace workspace(1 << 20);
  heed::Serial serial;
  const std::string message = error_of([&] {
    heed::attend_into(heed::AttentionOutputs<float>{.output = output}, input, input, input, {}, workspace, serial);
  });
  CHECK(canaries.untouched());
  return message;
}

}  // namespace heed_test
