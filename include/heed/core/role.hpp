#pragma once
// What a tensor of a layer is to an optimizer. Here, below every layer, so that attention layers can name it in `fields`.

#include <heed/core/abi.hpp>

namespace heed::inline HEED_ABI {

/// Stepped and decayed; stepped but never decayed (biases, norms); or saved and loaded only (running statistics): never
/// stepped, clipped or reduced.
enum class Role { parameter, no_decay, buffer };

}  // namespace heed::inline HEED_ABI
