#include <heed/core/view.hpp>

#include <numeric>
#include <type_traits>
#include <vector>

#include "support/catch.hpp"

using heed::Index;
using heed::MatrixView;
using heed::View;

namespace {

struct Numbers {
  std::vector<int> data;
  explicit Numbers(int count) : data(std::size_t(count)) { std::iota(data.begin(), data.end(), 0); }
  int* operator()() { return data.data(); }
};

static_assert(std::is_same_v<Index, std::ptrdiff_t>);
static_assert(std::is_convertible_v<View<float, 2>, View<const float, 2>>);
static_assert(!std::is_convertible_v<View<const float, 2>, View<float, 2>>);
static_assert(!std::is_convertible_v<View<float, 3>, View<float, 2>>);
static_assert(std::is_convertible_v<MatrixView<float>, MatrixView<const float>>);
static_assert(!std::is_convertible_v<MatrixView<const float>, MatrixView<float>>);

}  // namespace

TEST_CASE("A view without strides is row-major and dense", "[core]") {
  Numbers numbers(24);
  const View<int, 3> view(numbers(), {2, 3, 4});
  CHECK(view.strides == heed::Extents<3>{12, 4, 1});
  CHECK(view(1, 2, 3) == 23);
  CHECK(view(0, 1, 0) == 4);
  CHECK(view.size() == 24);
  CHECK(view.contiguous());
  view(1, 0, 0) = -5;
  CHECK(numbers.data[12] == -5);
}

TEST_CASE("Zero and negative strides read what they say", "[core]") {
  Numbers numbers(6);
  const View<const int, 2> repeated(numbers(), {3, 2}, {0, 1});
  CHECK(repeated(2, 1) == 1);
  CHECK(!repeated.contiguous());
  const View<const int, 1> reversed(numbers() + 5, {6}, {-1});
  for (Index i = 0; i < 6; ++i) CHECK(reversed(i) == 5 - i);
  const View<const int, 2> transposed(numbers(), {3, 2}, {1, 3});
  CHECK(transposed(2, 1) == 5);
}

TEST_CASE("A view with an extent of zero is empty and contiguous", "[core]") {
  const View<float, 3> empty(nullptr, {2, 0, 4}, {7, 7, 7});
  CHECK(empty.empty());
  CHECK(empty.size() == 0);
  CHECK(empty.contiguous());
  CHECK(View<float, 2>().empty());
}

TEST_CASE("Extents above 2^31 keep their offsets", "[core]") {
  const Index big = (Index{1} << 31) + 1;
  const View<char, 2> view(nullptr, {3, big});
  CHECK(view.stride(0) == big);
  CHECK(view.size() == 3 * big);
}

TEST_CASE("A matrix view gives rows and blocks of rows and columns", "[core]") {
  Numbers numbers(20);
  const MatrixView<int> matrix(numbers(), 4, 3, 5);
  CHECK(matrix.row(2)[1] == 11);
  CHECK(matrix(3, 2) == 17);
  const MatrixView<int> rows = matrix.row_block(1, 2);
  CHECK((rows.rows == 2 && rows.cols == 3 && rows.stride == 5));
  CHECK(rows(0, 0) == 5);
  const MatrixView<int> cols = matrix.col_block(1, 2);
  CHECK((cols.rows == 4 && cols.cols == 2 && cols.stride == 5));
  CHECK(cols(3, 1) == 17);
  CHECK(MatrixView<int>(numbers(), 0, 3).empty());
  CHECK(!matrix.empty());
}

TEST_CASE("as_matrix folds the leading axes into rows", "[core]") {
  Numbers numbers(24);
  const MatrixView<int> matrix = heed::as_matrix(View<int, 3>(numbers(), {2, 3, 4}));
  CHECK((matrix.rows == 6 && matrix.cols == 4 && matrix.stride == 4));
  CHECK(matrix(4, 1) == 17);
  const MatrixView<int> vector = heed::as_matrix(View<int, 1>(numbers(), {24}));
  CHECK((vector.rows == 1 && vector.cols == 24));
}
