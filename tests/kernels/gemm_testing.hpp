#pragma once
// What the tests of the matrix product share: operands with gaps between their rows, the chain that every element is.

#include <cmath>
#include <memory>
#include <new>
#include <vector>

#include <heed/kernels/gemm_pack.hpp>

#include "kernels/kernel_testing.hpp"

namespace heed_test {

using heed::Accumulate;
using heed::Transpose;

/// Exactly `count` elements on a 64-byte boundary, so that a sanitizer sees what goes past them.
template <class T>
class Scratch {
 public:
  explicit Scratch(Index count)
      : data_(static_cast<T*>(::operator new (static_cast<std::size_t>(count) * sizeof(T), std::align_val_t{64}))) {
    std::uninitialized_fill_n(data_, count, not_a_number<T>);
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  ~Scratch() { ::operator delete (data_, std::align_val_t{64}); }
  T* data() const { return data_; }

 private:
  T* data_;
};

/// op(x) is rows x cols; x's rows lie `gap` elements further apart than they are long, NaN between them.
template <class T>
struct Operand {
  Transpose transpose;
  Index stride;
  std::vector<T> storage;

  Operand(Transpose t, Index rows, Index cols, Index gap, std::uint64_t seed)
      : transpose(t), stride((t == Transpose::no ? cols : rows) + gap) {
    rows_ = t == Transpose::no ? rows : cols;
    cols_ = t == Transpose::no ? cols : rows;
    storage = random_numbers<T>(rows_ * stride, seed);
    for (Index i = 0; i < rows_; ++i)
      for (Index j = cols_; j < stride; ++j) storage[static_cast<std::size_t>(i * stride + j)] = not_a_number<T>;
    if (rows_ > 0 && gap > 0)
      storage.resize(storage.size() - static_cast<std::size_t>(gap));  // the last row ends memory
  }
  MatrixView<const T> view() const { return {storage.data(), rows_, cols_, stride}; }
  T operator()(Index i, Index j) const {
    return storage[static_cast<std::size_t>(transpose == Transpose::no ? i * stride + j : j * stride + i)];
  }

 private:
  Index rows_, cols_;
};

/// c (m, n) = [c +] a b, each element one chain of fma's in T over k ascending.
template <class T>
void chain_product(const Operand<T>& a, const Operand<T>& b, Index k, MatrixView<T> c, Accumulate accumulate) {
  for (Index i = 0; i < c.rows; ++i)
    for (Index j = 0; j < c.cols; ++j) {
      T sum = accumulate == Accumulate::yes ? c(i, j) : T(0);
      for (Index step = 0; step < k; ++step) sum = heed::fma(a(i, step), b(step, j), sum);
      c(i, j) = sum;
    }
}

}  // namespace heed_test
