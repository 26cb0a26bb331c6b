#include <heed/kernels/flash_gradients.hpp>

#include <cmath>
#include <limits>
#include <vector>

#include "support/catch.hpp"
#include "support/tolerance.hpp"

TEMPLATE_TEST_CASE("a row's reference stands for its logsumexp in base 2 far beyond its digits", "[kernels]", float,
                   double) {
  using T = TestType;
  for (int i = -200; i < 400; ++i) {
    const T logsumexp = T(i) * T(0.173);
    const heed::flash_detail::RowReference<T> reference(logsumexp);
    const long double found = (long double)(reference.high) + reference.low - std::log2((long double)(reference.unit));
    const long double wanted = logsumexp * std::numbers::log2e_v<long double>;
    CHECK(std::abs(found - wanted) <= 0.01L * std::numeric_limits<T>::epsilon() * std::abs(wanted));
    if (logsumexp >= 0 && logsumexp < 8) CHECK((reference.high >= 0 && reference.high < 1));
  }
}

TEMPLATE_TEST_CASE("weights come back from scores and the logsumexp", "[kernels]", float, double) {
  using T = TestType;
  constexpr heed::Index width = heed::lanes<T>, step = heed::flash_detail::FlashBlocks<T, heed::default_arch>::queries;
  for (const T logsumexp : {T(-3), T(0.4), T(9), T(40)}) {
    std::vector<T> scores(static_cast<std::size_t>(3 * step)), weights;
    for (std::size_t i = 0; i < scores.size(); ++i) scores[i] = logsumexp - static_cast<T>(i % 17) / 4;
    weights = scores;
    const heed::flash_detail::RowReference<T> reference(logsumexp);
    const std::vector<T> high(std::size_t(width), reference.high), low(std::size_t(width), reference.low),
        unit(std::size_t(width), reference.unit);
    heed::flash_detail::recompute_weights<T, heed::default_arch>(weights.data(), 3, std::numbers::log2e_v<T>, high.data(),
                                                                 low.data(), unit.data());
    for (heed::Index j = 0; j < 3; ++j)
      for (heed::Index i = 0; i < width; ++i) {
        const auto at = static_cast<std::size_t>(j * step + i);
        CHECK(heed_test::close(weights[at], std::exp(double(scores[at]) - double(logsumexp))));
      }
  }
}
