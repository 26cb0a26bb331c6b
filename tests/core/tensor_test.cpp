#include <heed/core/tensor.hpp>

#include <type_traits>

#include "support/catch.hpp"

using heed::Index;
using heed::Tensor;
using heed::View;

namespace {

static_assert(heed::TensorLike<Tensor<float, 2>, 2>);
static_assert(heed::TensorLike<Eigen::Tensor<float, 2>, 2>);  // column-major
static_assert(heed::TensorLike<Eigen::TensorMap<Eigen::Tensor<const float, 2, Eigen::RowMajor>>, 2>);
static_assert(heed::TensorLike<View<const float, 2>, 2>);
static_assert(!heed::TensorLike<Tensor<float, 3>, 2>);
static_assert(!heed::TensorLike<float, 2>);
static_assert(std::is_same_v<heed::scalar_t<Tensor<double, 1>>, double>);
static_assert(std::is_same_v<heed::scalar_t<const View<const float, 2>&>, float>);
static_assert(std::is_same_v<heed::scalar_t<Eigen::TensorMap<Eigen::Tensor<const float, 2>>>, float>);
static_assert(heed::is_tensor<Tensor<float, 3>>::value);
static_assert(!heed::is_tensor<int>::value);

Tensor<float, 2> sample() {
  Tensor<float, 2> tensor(2, 3);
  for (Index i = 0; i < 6; ++i) tensor.data()[i] = float(i);
  return tensor;
}

/// What a public function sees of its argument.
float last(View<const float, 2> view) { return view(view.dimension(0) - 1, view.dimension(1) - 1); }

}  // namespace

TEST_CASE("A tensor is row-major and a deep value", "[core]") {
  const Tensor<float, 2> tensor = sample();
  CHECK(tensor(1, 0) == 3);
  Tensor<float, 2> copy = tensor;
  copy(1, 0) = 9;
  CHECK(tensor(1, 0) == 3);
  CHECK(heed::extents(tensor) == heed::Extents<2>{2, 3});
}

TEST_CASE("Tensors, maps and views of either layout convert to the same view", "[core]") {
  Tensor<float, 2> row_major = sample();
  Eigen::Tensor<float, 2> column_major(2, 3);
  for (Index i = 0; i < 2; ++i)
    for (Index j = 0; j < 3; ++j) column_major(i, j) = row_major(i, j);
  const Eigen::TensorMap<Eigen::Tensor<float, 2, Eigen::RowMajor>> map(row_major.data(), 2, 3);
  CHECK(last(row_major) == 5);
  CHECK(last(column_major) == 5);
  CHECK(last(map) == 5);
  CHECK(last(heed::view(row_major)) == 5);
  const View<const float, 2> strided = column_major;
  CHECK(strided.strides == heed::Extents<2>{1, 2});
  for (Index i = 0; i < 2; ++i)
    for (Index j = 0; j < 3; ++j) CHECK(strided(i, j) == row_major(i, j));
}

TEST_CASE("A view of a tensor writes into it, one of a const tensor cannot", "[core]") {
  Tensor<float, 2> tensor = sample();
  heed::view(tensor)(0, 1) = 7;
  CHECK(tensor(0, 1) == 7);
  heed::as_matrix(tensor)(1, 2) = 8;
  CHECK(tensor(1, 2) == 8);
  const Tensor<float, 2>& constant = tensor;
  static_assert(std::is_same_v<decltype(heed::view(constant)), View<const float, 2>>);
  static_assert(std::is_same_v<decltype(heed::as_matrix(constant)), heed::MatrixView<const float>>);
}

TEST_CASE("flat spans the elements in memory order", "[core]") {
  Tensor<float, 2> tensor = sample();
  CHECK(heed::flat(tensor).size() == 6);
  heed::flat(tensor)[4] = 40;
  CHECK(tensor(1, 1) == 40);
  const Tensor<float, 3> empty(2, 0, 3);
  CHECK(heed::flat(empty).empty());
}

TEST_CASE("zeros has the extents asked for and only zeros", "[core]") {
  const Tensor<double, 3> tensor = heed::zeros<double, 3>({2, 1, 4});
  CHECK(heed::extents(tensor) == heed::Extents<3>{2, 1, 4});
  for (const double value : heed::flat(tensor)) CHECK(value == 0);
  CHECK(heed::zeros<float, 1>({0}).size() == 0);
}
