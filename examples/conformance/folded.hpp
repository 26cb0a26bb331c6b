#pragma once
// Golden tensors of any rank as matrices, and back: most layers fold the leading axes.

#include <vector>

#include "golden_case.hpp"

namespace conformance {

/// A given tensor as (rows, last extent).
template <class T>
Tensor<T, 2> given_rows(const Case& golden, const std::string& name, std::size_t last_axes = 1) {
  const std::vector<Index>& shape = golden.given_shape(name);
  Index rows = 1, cols = 1;
  for (std::size_t axis = 0; axis < shape.size(); ++axis)
    (axis + last_axes < shape.size() ? rows : cols) *= shape[axis];
  const std::vector<T> values = golden.given_values<T>(name);
  Tensor<T, 2> folded(rows, cols);
  std::copy(values.begin(), values.end(), folded.data());
  return folded;
}

/// Hands back a tensor under another shape of the same size.
template <class T, int Rank>
void answer_as(Case& golden, const std::string& name, std::vector<Index> shape, const Tensor<T, Rank>& values) {
  golden.answer(name, shape, {values.data(), values.data() + values.size()});
}

/// The shape of a given tensor with another last extent.
inline std::vector<Index> with_last(std::vector<Index> shape, Index last) {
  shape.back() = last;
  return shape;
}

/// Integers of a given tensor.
inline std::vector<Index> given_indices(const Case& golden, const std::string& name) {
  return golden.given_values<Index>(name);
}

template <class T>
Tensor<T, 2> transposed(const Tensor<T, 2>& matrix) {
  return matrix.shuffle(Eigen::array<Index, 2>{1, 0});
}

/// How many leading true values each row of a (rows, steps) mask has; NotOffered for a mask with holes.
inline std::vector<Index> lengths_of_mask(const Case& golden, const std::string& name) {
  const Tensor<bool, 2> mask = golden.given<bool, 2>(name);
  std::vector<Index> lengths;
  for (Index row = 0; row < mask.dimension(0); ++row) {
    Index length = 0;
    while (length < mask.dimension(1) && mask(row, length)) ++length;
    for (Index step = length; step < mask.dimension(1); ++step) {
      if (mask(row, step)) throw NotOffered("a mask with holes");
    }
    lengths.push_back(length);
  }
  return lengths;
}

}  // namespace conformance
