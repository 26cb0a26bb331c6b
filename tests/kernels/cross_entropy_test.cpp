#include <heed/kernels/cross_entropy.hpp>
#include <heed/kernels/reference.hpp>

#include "kernels/kernel_testing.hpp"
#include "support/catch.hpp"
#include "support/tolerance.hpp"

namespace reference = heed::reference;
using heed::ClassTarget;
using heed::Index;
using heed::ProbabilityTarget;
using namespace heed_test;

namespace {
/// The masses that a target stands for.
template <class T>
std::vector<double> masses(const ClassTarget<T>& q, Index size) {
  std::vector<double> m(static_cast<std::size_t>(size));
  for (Index j = 0; j < size; ++j) {
    m[static_cast<std::size_t>(j)] =
        double(j == q.target ? q.on : q.off) * double(q.class_weight ? q.class_weight[j] : 1);
  }
  return m;
}
template <class T>
std::vector<double> masses(const ProbabilityTarget<T>& q, Index size) {
  std::vector<double> m(static_cast<std::size_t>(size));
  for (Index j = 0; j < size; ++j) {
    m[static_cast<std::size_t>(j)] =
        (double(q.keep) * double(q.probability[j]) + double(q.off)) * double(q.class_weight ? q.class_weight[j] : 1);
  }
  return m;
}

template <class T, class Target>
void check_against_reference(const std::vector<T>& x, const Target& q) {
  const auto size = static_cast<Index>(x.size());
  const T scale = T(0.25);
  std::vector<double> wanted(x.size());
  const double loss =
      reference::cross_entropy(in_double(x).data(), masses(q, size).data(), double(scale), wanted.data(), size);
  std::vector<T> row = x;
  row.push_back(T(7));
  CHECK(close(heed::cross_entropy_row<T>(row.data(), size, q), loss));
  CHECK(all_same_bits(std::vector<T>(row.begin(), row.end() - 1), x));
  CHECK(close(heed::cross_entropy_row_with_gradient<T>(row.data(), size, q, scale), loss));
  CHECK(row.back() == 7);
  row.pop_back();
  CHECK(all_close(row, wanted));
}
}  // namespace

TEMPLATE_TEST_CASE("cross-entropy of a class matches the textbook definition with smoothing and weights", "[kernels]",
                   float, double) {
  using T = TestType;
  const Index size = GENERATE(1, 7, 64, 65, 200, 1000);
  const Index target = GENERATE(0, 1, 2) * (size - 1) / 2;
  const std::vector<T> x = random_numbers<T>(size, 1, 20);
  std::vector<T> weight = random_numbers<T>(size, 2);
  for (T& w : weight) w = std::abs(w);
  check_against_reference(x, ClassTarget<T>{.target = target});
  check_against_reference(x, ClassTarget<T>{.target = target, .class_weight = weight.data()});
  const T s = T(0.1) / static_cast<T>(size);
  check_against_reference(x, ClassTarget<T>{.target = target, .on = T(0.9) + s, .off = s});
  check_against_reference(x, ClassTarget<T>{.target = target, .on = T(0.9), .off = s, .class_weight = weight.data()});
}

TEMPLATE_TEST_CASE("cross-entropy of probabilities matches the textbook definition", "[kernels]", float, double) {
  using T = TestType;
  const Index size = GENERATE(1, 7, 64, 65, 200);
  const std::vector<T> x = random_numbers<T>(size, 1, 20), weight = random_numbers<T>(size, 2);
  std::vector<T> probability = random_numbers<T>(size, 3);
  for (T& p : probability) p = std::abs(p);
  check_against_reference(x, ProbabilityTarget<T>{.probability = probability.data()});
  check_against_reference(
      x, ProbabilityTarget<T>{
             .probability = probability.data(), .keep = T(0.9), .off = T(0.01), .class_weight = weight.data()});
}

TEMPLATE_TEST_CASE("a class with logit -inf costs nothing where it has no mass and everything where it has",
                   "[kernels]", float, double) {
  using T = TestType;
  std::vector<T> x = random_numbers<T>(70, 4);
  x[3] = -infinite<T>;
  std::vector<T> one_hot(70, T(0));
  one_hot[5] = 1;
  const T loss = heed::cross_entropy_row<T>(x.data(), 70, ClassTarget<T>{.target = 5});
  CHECK(std::isfinite(loss));
  CHECK(close(heed::cross_entropy_row<T>(x.data(), 70, ProbabilityTarget<T>{.probability = one_hot.data()}),
              double(loss)));
  CHECK(heed::cross_entropy_row<T>(x.data(), 70, ClassTarget<T>{.target = 3}) == infinite<T>);
  const ClassTarget<T> smooth{.target = 5, .on = T(0.9), .off = T(0.01)};
  CHECK(heed::cross_entropy_row<T>(x.data(), 70, smooth) == infinite<T>);
  heed::cross_entropy_row_with_gradient<T>(x.data(), 70, ClassTarget<T>{.target = 5}, T(1));
  CHECK(x[3] == 0);
}

TEMPLATE_TEST_CASE("NaN in a logit reaches the loss and the whole row's gradient", "[kernels]", float, double) {
  using T = TestType;
  std::vector<T> x = random_numbers<T>(70, 5);
  x[69] = not_a_number<T>;
  CHECK(std::isnan(heed::cross_entropy_row_with_gradient<T>(x.data(), 70, ClassTarget<T>{.target = 5}, T(1))));
  for (const T g : x) CHECK(std::isnan(g));
}

TEMPLATE_TEST_CASE("large logits neither overflow nor lose the target", "[kernels]", float, double) {
  using T = TestType;
  std::vector<T> x(100, T(-1e4));
  x[7] = T(1e4), x[8] = T(1e4);
  const T loss = heed::cross_entropy_row_with_gradient<T>(x.data(), 100, ClassTarget<T>{.target = 7}, T(1));
  CHECK(close(loss, std::log(2.0)));
  CHECK((close(x[7], -0.5) && close(x[8], 0.5) && x[9] == 0));
}

TEMPLATE_TEST_CASE("the gradient has the same bits wherever the row lies in memory", "[kernels]", float, double) {
  using T = TestType;
  const std::vector<T> x = random_numbers<T>(203, 6, 9);
  const ClassTarget<T> smooth{.target = 150, .on = T(0.9), .off = T(0.01)};
  alignas(64) T aligned[203];
  std::copy(x.begin(), x.end(), aligned);
  const T loss = heed::cross_entropy_row_with_gradient<T>(aligned, 203, smooth, T(0.5));
  for (std::size_t offset = 1; offset < 17; ++offset) {
    alignas(64) T shifted[203 + 17] = {};
    std::copy(x.begin(), x.end(), shifted + offset);
    CHECK(same_bits(heed::cross_entropy_row_with_gradient<T>(shifted + offset, 203, smooth, T(0.5)), loss));
    for (std::size_t j = 0; j < 203; ++j) CHECK(same_bits(shifted[offset + j], aligned[j]));
    CHECK((shifted[offset - 1] == 0 && shifted[offset + 203] == 0));
  }
}
