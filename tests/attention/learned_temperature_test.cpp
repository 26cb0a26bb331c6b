#include <heed/attention/learned_temperature.hpp>

#include <heed/nn/gradient_check.hpp>

#include "attention/modifier_testing.hpp"

using namespace heed;
using namespace heed_test;

TEST_CASE("a temperature of 1 changes nothing, and others divide the scores of their head", "[attention]") {
  const Problem<double> in(2, 9, 13);
  LearnedTemperature<double> temperature(4);
  const auto plain = attend(in.query, in.key, in.value);
  CHECK(all_close(flat(attend(in.query, in.key, in.value, {}, temperature).output), flat(plain.output)));
  temperature.log_temperature.setConstant(std::log(4.0));
  const auto cool = attend(in.query, in.key, in.value, {.scale = 1 / std::sqrt(8.0) / 4});
  CHECK(all_close(flat(attend(in.query, in.key, in.value, {}, temperature).output), flat(cool.output)));
}

TEST_CASE("the gradients of temperatures, queries, keys and values equal central differences", "[attention]") {
  Problem<double> in(2, 9, 13);
  LearnedTemperature<double> temperature(4);
  temperature.log_temperature.setValues({-0.4, 0, 0.3, 0.8});
  const AttentionOptions<double> options{.return_logsumexp = true};
  const auto forward = attend(in.query, in.key, in.value, options, temperature);
  auto grad = zeros_like(temperature);
  auto found = attend_backward(in.d_output, in.query, in.key, in.value, forward, options, score(temperature, grad));
  const auto result = check_gradients(
      temperature, grad, [&] { return in.loss({}, temperature); }, std::tie(in.query, found.query),
      std::tie(in.key, found.key), std::tie(in.value, found.value));
  INFO(result.worst_name << " " << result.worst_element);
  CHECK(result.worst_error < 1e-8);
  CHECK(result.checked > 100);
  CHECK(parameter_count(temperature) == 4);
}

TEST_CASE("a temperature without heads is refused", "[attention]") {
  CHECK_THROWS_WITH(LearnedTemperature<float>(0), "LearnedTemperature: heads is 0, wanted at least 1");
}
