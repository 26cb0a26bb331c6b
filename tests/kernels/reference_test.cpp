#include <heed/kernels/reference.hpp>

#include "kernels/kernel_testing.hpp"
#include "support/catch.hpp"
#include "support/tolerance.hpp"

namespace reference = heed::reference;
using heed::Index;
using namespace heed_test;
using Numbers = std::vector<double>;

TEST_CASE("the reference product multiplies small matrices in all four orientations", "[kernels]") {
  const Numbers a{1, 2, 3, 4, 5, 6}, b{7, 8, 9, 10, 11, 12};  // (2, 3) and (3, 2)
  Numbers c(4), wanted{58, 64, 139, 154};
  reference::matrix_product(reference::strided(matrix(a, 2, 3)), reference::strided(matrix(b, 3, 2)), matrix(c, 2, 2));
  CHECK(c == wanted);
  const Numbers a_t{1, 4, 2, 5, 3, 6}, b_t{7, 9, 11, 8, 10, 12};
  reference::matrix_product(reference::transposed(matrix(a_t, 3, 2)), reference::transposed(matrix(b_t, 2, 3)),
                            matrix(c, 2, 2));
  CHECK(c == wanted);
}

TEST_CASE("the reference softmax knows the textbook numbers", "[kernels]") {
  const Numbers x{1, 2, 3, 1000};
  Numbers p(4);
  const double lse = reference::softmax(x.data(), p.data(), 3, 4);
  CHECK(p[0] == Approx(0.09003057317038046).epsilon(1e-14));
  CHECK(p[1] == Approx(0.24472847105479767).epsilon(1e-14));
  CHECK(p[2] == Approx(0.6652409557748219).epsilon(1e-14));
  CHECK(p[3] == 0);
  CHECK(lse == Approx(3.4076059644443806).epsilon(1e-14));
}

TEST_CASE("the reference softmax of a row without keys is zeros and -inf", "[kernels]") {
  const Numbers x{not_a_number<double>, infinite<double>};
  const bool none[] = {false, false};
  Numbers p(2, 7.0);
  CHECK(reference::softmax(x.data(), p.data(), 0, 2) == -reference::infinity);
  CHECK(p == Numbers{0, 0});
  p = {7, 7};
  CHECK(reference::softmax(x.data(), none, p.data(), 2) == -reference::infinity);
  CHECK(p == Numbers{0, 0});
}

TEST_CASE("the reference softmax with a mask equals the softmax of the allowed elements", "[kernels]") {
  const Numbers x{1, not_a_number<double>, 2, 3, infinite<double>};
  const bool allowed[] = {true, false, true, true, false};
  const Numbers packed{1, 2, 3};
  Numbers p(5), wanted(3);
  const double lse = reference::softmax(x.data(), allowed, p.data(), 5);
  CHECK(lse == Approx(reference::softmax(packed.data(), wanted.data(), 3, 3)).epsilon(1e-14));
  CHECK(p[0] == Approx(wanted[0]).epsilon(1e-14));
  CHECK(p[2] == Approx(wanted[1]).epsilon(1e-14));
  CHECK(p[3] == Approx(wanted[2]).epsilon(1e-14));
  CHECK((p[1] == 0 && p[4] == 0));
}

TEST_CASE("the gradients of the reference softmax and log-softmax are their central differences", "[kernels]") {
  const Index size = GENERATE(1, 2, 9);
  Numbers x = random_numbers<double>(size, 1, 3), y(x.size()), gradient(x.size());
  const Numbers up = random_numbers<double>(size, 2);
  reference::softmax(x.data(), y.data(), size, size);
  reference::softmax_backward(y.data(), up.data(), gradient.data(), size);
  CHECK(gradient_error(x, gradient, [&] {
          reference::softmax(x.data(), y.data(), size, size);
          return weighted_sum(up, y);
        }) < gradient_tolerance);
  reference::log_softmax(x.data(), y.data(), size, size);
  reference::log_softmax_backward(y.data(), up.data(), gradient.data(), size);
  CHECK(gradient_error(x, gradient, [&] {
          reference::log_softmax(x.data(), y.data(), size, size);
          return weighted_sum(up, y);
        }) < gradient_tolerance);
}

TEST_CASE("the reference cross-entropy is minus the log-probability and has its gradient", "[kernels]") {
  Numbers x = random_numbers<double>(7, 3, 4), gradient(7), ignored(7), log_p(7);
  const Numbers one_hot{0, 0, 1, 0, 0, 0, 0}, smooth{0.1, 0.3, 0.9, 0.05, 0, 0.2, 0.1};
  reference::log_softmax(x.data(), log_p.data(), 7, 7);
  CHECK(reference::cross_entropy(x.data(), one_hot.data(), 1, gradient.data(), 7) == Approx(-log_p[2]).epsilon(1e-14));
  for (const Numbers& q : {one_hot, smooth}) {
    reference::cross_entropy(x.data(), q.data(), 2.5, gradient.data(), 7);
    CHECK(gradient_error(x, gradient, [&] {
            return 2.5 * reference::cross_entropy(x.data(), q.data(), 1, ignored.data(), 7);
          }) < gradient_tolerance);
  }
}

TEST_CASE("the reference layer norm gives rows of mean 0 and variance 1", "[kernels]") {
  const Numbers x = random_numbers<double>(50, 4, 9);
  Numbers y(50);
  reference::layer_norm(x.data(), nullptr, nullptr, 0, y.data(), 50);
  double mean = 0, square = 0;
  for (const double value : y) mean += value / 50, square += value * value / 50;
  CHECK(mean == Approx(0).margin(1e-14));
  CHECK(square == Approx(1).epsilon(1e-13));
  reference::rms_norm(x.data(), nullptr, 0, y.data(), 50);
  square = 0;
  for (const double value : y) square += value * value / 50;
  CHECK(square == Approx(1).epsilon(1e-13));
}

TEST_CASE("the gradients of the reference layer norm are its central differences", "[kernels]") {
  const Index size = 6;
  Numbers x = random_numbers<double>(size, 5, 2), weight = random_numbers<double>(size, 6),
          bias = random_numbers<double>(size, 7), y(6), d_x(6), d_weight(6, 0.0), d_bias(6, 0.0);
  const Numbers up = random_numbers<double>(size, 8);
  const auto loss = [&] {
    reference::layer_norm(x.data(), weight.data(), bias.data(), 1e-2, y.data(), size);
    return weighted_sum(up, y);
  };
  const auto row = reference::layer_norm(x.data(), weight.data(), bias.data(), 1e-2, y.data(), size);
  reference::layer_norm_backward(x.data(), weight.data(), row, up.data(), d_x.data(), d_weight.data(), d_bias.data(),
                                 size);
  CHECK(gradient_error(x, d_x, loss) < gradient_tolerance);
  CHECK(gradient_error(weight, d_weight, loss) < gradient_tolerance);
  CHECK(gradient_error(bias, d_bias, loss) < gradient_tolerance);
}

TEST_CASE("the gradients of the reference RMS norm are its central differences", "[kernels]") {
  const Index size = 6;
  Numbers x = random_numbers<double>(size, 5, 2), weight = random_numbers<double>(size, 6), y(6), d_x(6),
          d_weight(6, 0.0);
  const Numbers up = random_numbers<double>(size, 8);
  const auto loss = [&] {
    reference::rms_norm(x.data(), weight.data(), 1e-2, y.data(), size);
    return weighted_sum(up, y);
  };
  const double factor = reference::rms_norm(x.data(), weight.data(), 1e-2, y.data(), size);
  reference::rms_norm_backward(x.data(), weight.data(), factor, up.data(), d_x.data(), d_weight.data(), size);
  CHECK(gradient_error(x, d_x, loss) < gradient_tolerance);
  CHECK(gradient_error(weight, d_weight, loss) < gradient_tolerance);
}
