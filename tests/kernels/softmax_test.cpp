#include <heed/kernels/reference.hpp>
#include <heed/kernels/softmax.hpp>

#include "kernels/kernel_testing.hpp"
#include "support/catch.hpp"
#include "support/tolerance.hpp"

namespace reference = heed::reference;
using heed::Index;
using namespace heed_test;

TEMPLATE_TEST_CASE("softmax rows match the textbook definition", "[kernels]", float, double) {
  using T = TestType;
  const Index size = GENERATE(1, 7, 64, 65, 200);
  const Index half = GENERATE(0, 1, 2), visible = (size * half + 1) / 2;
  std::vector<T> x = random_numbers<T>(size, 1, 30);
  for (Index j = visible; j < size; ++j) x[static_cast<std::size_t>(j)] = not_a_number<T>;
  std::vector<double> wanted(x.size());
  auto p = filled<T>(size + 1, T(7)), y = p;
  const double lse = reference::softmax(in_double(x).data(), wanted.data(), visible, size);
  CHECK(close(heed::softmax_row(x.data(), p.data(), visible, size), lse));
  CHECK(close(heed::logsumexp_row(x.data(), visible), lse));
  CHECK(p.back() == 7);
  p.pop_back();
  CHECK(all_close(p, wanted));
  for (Index j = visible; j < size; ++j) CHECK(same_bits(p[static_cast<std::size_t>(j)], T(0)));
  reference::log_softmax(in_double(x).data(), wanted.data(), visible, size);
  CHECK(close(heed::log_softmax_row(x.data(), y.data(), visible, size), lse));
  CHECK(y.back() == 7);
  y.pop_back();
  CHECK(all_close(y, wanted));
  std::vector<T> in_place = x;
  heed::softmax_row(in_place.data(), in_place.data(), visible, size);
  CHECK(all_same_bits(in_place, p));
}

TEMPLATE_TEST_CASE("softmax gradients match the textbook definition", "[kernels]", float, double) {
  using T = TestType;
  const Index size = GENERATE(1, 7, 64, 65, 200);
  const Index half = GENERATE(0, 1, 2), visible = (size * half + 1) / 2;
  const std::vector<T> x = random_numbers<T>(size, 1, 3);
  std::vector<T> up = random_numbers<T>(size, 2), y(x.size()), d_x(x.size(), T(7));
  std::vector<double> wanted(x.size(), 0.0);
  for (Index j = visible; j < size; ++j) up[static_cast<std::size_t>(j)] = not_a_number<T>;
  heed::softmax_row(x.data(), y.data(), visible, size);
  reference::softmax_backward(in_double(y).data(), in_double(up).data(), wanted.data(), visible);
  heed::softmax_backward_row(y.data(), up.data(), d_x.data(), visible, size);
  CHECK(all_close(d_x, wanted));
  heed::log_softmax_row(x.data(), y.data(), visible, size);
  reference::log_softmax_backward(in_double(y).data(), in_double(up).data(), wanted.data(), visible);
  heed::log_softmax_backward_row(y.data(), up.data(), d_x.data(), visible, size);
  CHECK(all_close(d_x, wanted));
}

namespace {
struct BoolRow {
  std::unique_ptr<bool[]> values;
  BoolRow(Index size, auto allowed) : values(new bool[static_cast<std::size_t>(size)]) {
    for (Index j = 0; j < size; ++j) values[static_cast<std::size_t>(j)] = allowed(j);
  }
  const bool* data() const { return values.get(); }
};
}  // namespace

TEMPLATE_TEST_CASE("softmax rows with a mask match the textbook definition and never read masked scores", "[kernels]",
                   float, double) {
  using T = TestType;
  const Index size = GENERATE(1, 7, 64, 65, 200);
  const Index every = GENERATE(1, 2, 3);
  const BoolRow allowed(size, [&](Index j) { return j % every == every - 1; });
  std::vector<T> x = random_numbers<T>(size, 3, 20), up = random_numbers<T>(size, 4), p(x.size()), d_x(x.size());
  std::vector<double> wanted(x.size());
  const double lse = reference::softmax(in_double(x).data(), allowed.data(), wanted.data(), size);
  CHECK(close(heed::softmax_row(x.data(), allowed.data(), p.data(), size), lse));
  CHECK(all_close(p, wanted));
  heed::softmax_backward_row(p.data(), up.data(), allowed.data(), d_x.data(), size);
  reference::softmax_backward(in_double(p).data(), in_double(up).data(), wanted.data(), size);
  CHECK(all_close(d_x, wanted));

  std::vector<T> poisoned = p, poisoned_up = up, again(x.size());
  for (std::size_t j = 0; j < x.size(); ++j) {
    if (!allowed.data()[j]) x[j] = j % 2 ? not_a_number<T> : infinite<T>, poisoned[j] = poisoned_up[j] = x[j];
  }
  heed::softmax_row(x.data(), allowed.data(), again.data(), size);
  CHECK(all_same_bits(again, p));
  heed::softmax_backward_row(poisoned.data(), poisoned_up.data(), allowed.data(), again.data(), size);
  CHECK(all_same_bits(again, d_x));
}

TEMPLATE_TEST_CASE("a softmax row has the same bits however far it is padded, by count or by mask", "[kernels]", float,
                   double) {
  using T = TestType;
  const Index visible = GENERATE(1, 5, 16, 37, 64, 130);
  const std::vector<T> x = random_numbers<T>(200, 5, 4), up = random_numbers<T>(200, 6);
  std::vector<T> p(200), d_x(200), wanted(200, T(0)), wanted_d(200, T(0));
  const T lse = heed::softmax_row(x.data(), wanted.data(), visible, visible);
  heed::softmax_backward_row(wanted.data(), up.data(), wanted_d.data(), visible, visible);
  const BoolRow allowed(200, [&](Index j) { return j < visible; });
  CHECK(same_bits(heed::softmax_row(x.data(), p.data(), visible, 200), lse));
  CHECK(all_same_bits(p, wanted));
  heed::softmax_backward_row(p.data(), up.data(), d_x.data(), visible, 200);
  CHECK(all_same_bits(d_x, wanted_d));
  CHECK(same_bits(heed::softmax_row(x.data(), allowed.data(), p.data(), 200), lse));
  CHECK(all_same_bits(p, wanted));
  heed::softmax_backward_row(p.data(), up.data(), allowed.data(), d_x.data(), 200);
  CHECK(all_same_bits(d_x, wanted_d));
}

TEMPLATE_TEST_CASE("a softmax row without visible elements is zeros and -inf", "[kernels]", float, double) {
  using T = TestType;
  const std::vector<T> x(3, not_a_number<T>);
  const bool none[3] = {};
  std::vector<T> p(3, T(7));
  CHECK(heed::softmax_row(x.data(), p.data(), 0, 3) == -infinite<T>);
  CHECK(all_same_bits(p, std::vector<T>(3, T(0))));
  p.assign(3, T(7));
  CHECK(heed::softmax_row(x.data(), none, p.data(), 3) == -infinite<T>);
  CHECK(all_same_bits(p, std::vector<T>(3, T(0))));
  CHECK(heed::log_softmax_row(x.data(), p.data(), 0, 3) == -infinite<T>);
  CHECK(p == std::vector<T>(3, -infinite<T>));
  CHECK(heed::softmax_row(x.data(), p.data(), 0, 0) == -infinite<T>);
  heed::softmax_backward_row(x.data(), x.data(), none, p.data(), 3);
  CHECK(all_same_bits(p, std::vector<T>(3, T(0))));
}

TEMPLATE_TEST_CASE("NaN, +inf and all -inf among visible scores make the row NaN, -inf alone is a zero", "[kernels]",
                   float, double) {
  using T = TestType;
  const Index size = GENERATE(3, 70);
  for (const T bad : {not_a_number<T>, infinite<T>}) {
    std::vector<T> x = random_numbers<T>(size, 7), p(x.size());
    x[1] = bad;
    heed::softmax_row(x.data(), p.data(), size, size);
    CHECK(std::isnan(p[1]));
    const BoolRow all(size, [](Index) { return true; });
    heed::softmax_row(x.data(), all.data(), p.data(), size);
    CHECK(std::isnan(p[1]));
    CHECK(std::isnan(p[0]));
  }
  std::vector<T> x(static_cast<std::size_t>(size), -infinite<T>), p(x.size());
  heed::softmax_row(x.data(), p.data(), size, size);
  CHECK(std::isnan(p[0]));
  x[1] = T(2);
  CHECK(close(heed::softmax_row(x.data(), p.data(), size, size), 2.0));
  CHECK((p[0] == 0 && p[1] == 1));
}

TEMPLATE_TEST_CASE("scores at the ends of the range neither overflow nor lose the sum", "[kernels]", float, double) {
  using T = TestType;
  const T huge = std::numeric_limits<T>::max();
  const std::vector<T> x{huge, -huge, huge, T(0)};
  std::vector<T> p(4);
  heed::softmax_row(x.data(), p.data(), 4, 4);
  CHECK(p == std::vector<T>{T(0.5), 0, T(0.5), 0});
}

TEMPLATE_TEST_CASE("the online softmax joins blocks to the softmax of the whole row", "[kernels]", float, double) {
  using T = TestType;
  const Index block = GENERATE(1, 7, 64, 200);
  std::vector<T> x = random_numbers<T>(200, 8, 40);
  for (std::size_t j = 0; j < 70; ++j) x[j] = -infinite<T>;  // whole blocks of masked keys first
  x[150] = -infinite<T>;
  std::vector<double> wanted(200), found(200, 0.0);
  const double lse = reference::softmax(in_double(x).data(), wanted.data(), 200, 200);
  heed::OnlineSoftmax<T> state;
  for (Index begin = 0; begin < 200; begin += block) {
    const Index n = std::min(block, 200 - begin);
    const T factor = state.update(x.data() + begin, n);
    for (Index j = 0; j < begin; ++j) found[static_cast<std::size_t>(j)] *= double(factor);
    for (Index j = begin; j < begin + n; ++j)
      found[static_cast<std::size_t>(j)] = double(x[static_cast<std::size_t>(j)]);
  }
  for (double& p : found) p *= double(state.inverse_sum());
  CHECK(largest_error(found, wanted) < tolerance<T>());
  CHECK(close(state.logsumexp(), lse));
}

TEMPLATE_TEST_CASE("an online softmax that saw no key gives zero and -inf, one that saw NaN gives NaN", "[kernels]",
                   float, double) {
  using T = TestType;
  heed::OnlineSoftmax<T> state;
  std::vector<T> masked(5, -infinite<T>), bad{T(1), not_a_number<T>};
  CHECK(state.update(masked.data(), 5) == 1);
  CHECK(masked == std::vector<T>(5, T(0)));
  CHECK(state.update(masked.data(), 0) == 1);
  CHECK(state.inverse_sum() == 0);
  CHECK(state.logsumexp() == -infinite<T>);
  state.update(bad.data(), 2);
  CHECK(std::isnan(state.inverse_sum()));
  CHECK(std::isnan(state.logsumexp()));
}
