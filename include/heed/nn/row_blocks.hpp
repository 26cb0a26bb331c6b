#pragma once
// Rows in fixed blocks: what layers that work row by row hand to threads, and how gradients that sum over rows are joined.

#include <algorithm>
#include <vector>

#include <heed/core/executor.hpp>
#include <heed/core/tensor.hpp>
#include <heed/simd/row.hpp>

namespace heed::inline HEED_ABI::detail {

inline constexpr Index block_rows = 32;  // fixed: part of the definition of a parameter gradient's bits
inline Index row_blocks(Index rows) { return (rows + block_rows - 1) / block_rows; }

/// Calls body(block, row) for every row.
template <class Body>
void for_each_row(Index rows, ExecutorRef executor, const Body& body) {
  for_each_task(executor, row_blocks(rows), [&](Index block, Index) {
    for (Index row = block * block_rows; row < std::min(rows, (block + 1) * block_rows); ++row) body(block, row);
  });
}

/// Calls body(first, count) for pieces of [0, size) that are worth a thread.
template <class Body>
void for_each_span(Index size, ExecutorRef executor, const Body& body) {
  constexpr Index grain = 16384;
  for_each_task(executor, (size + grain - 1) / grain,
                [&](Index task, Index) { body(task * grain, std::min(grain, size - task * grain)); });
}

/// y += x.
template <class T, int Rank>
void add_into(Tensor<T, Rank>& y, const Tensor<T, Rank>& x, ExecutorRef executor) {
  for_each_span(y.size(), executor,
                [&](Index first, Index count) { add_row(y.data() + first, x.data() + first, count); });
}

/// Sums of one parameter's gradient, a row of them for every block, or none where the parameter is empty.
template <class T>
class BlockSums {
 public:
  BlockSums(Index parameter_size, Index rows)
      : size_(parameter_size), sums_(static_cast<std::size_t>(parameter_size * row_blocks(rows))) {}
  /// Null where the parameter is empty.
  T* block(Index i) { return size_ > 0 ? sums_.data() + i * size_ : nullptr; }
  /// Adds all blocks in their order.
  void add_to(T* total) const {
    for (std::size_t i = 0; i < sums_.size(); ++i) total[i % static_cast<std::size_t>(size_)] += sums_[i];
  }

 private:
  Index size_;
  std::vector<T> sums_;
};

}  // namespace heed::inline HEED_ABI::detail
