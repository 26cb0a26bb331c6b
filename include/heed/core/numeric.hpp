#pragma once
// Element types and what sums over them are kept in.

#include <concepts>

#include <heed/core/abi.hpp>

namespace heed::inline HEED_ABI {

/// The types that layers and kernels compute with.
template <class T>
concept Real = std::same_as<T, float> || std::same_as<T, double>;

/// The type that a sum of products of T is kept in (SEMANTICS 1): T itself for float and double.
template <Real T>
using accumulator_t = T;

}  // namespace heed::inline HEED_ABI
