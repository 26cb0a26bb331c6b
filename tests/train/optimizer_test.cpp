#include <heed/train/optimizer.hpp>

#include <heed/train/sgd.hpp>
#include "train/train_testing.hpp"

using heed::Role;
using heed::Sgd;
using heed_test::all_elements;
using heed_test::TwoTensors;

TEST_CASE("frozen parameters and buffers are left as they are", "[train]") {
  TwoTensors<float> model(1);
  const TwoTensors<float> before = model, grad(2);
  Sgd optimizer(model, {.learning_rate = 0.5, .frozen = [](std::string_view name) { return name == "weight"; }});
  optimizer.step(model, grad);
  CHECK(heed_test::all_same_bits(heed::flat(model.weight), heed::flat(before.weight)));
  CHECK(heed_test::all_same_bits(heed::flat(model.seen), heed::flat(before.seen)));
  CHECK(model.bias(1) == Approx(before.bias(1) - 0.5 * grad.bias(1)));
}

TEST_CASE("a gradient of another structure is refused before anything is written", "[train]") {
  TwoTensors<float> model(1);
  const TwoTensors<float> before = model;
  TwoTensors<float> grad(2);
  grad.bias = heed::Tensor<float, 1>(4);  // the weight, walked first, fits
  Sgd optimizer(model);
  CHECK_THROWS_AS(optimizer.step(model, grad), heed::Error);
  CHECK(heed_test::all_same_bits(all_elements(model), all_elements(before)));
  CHECK(optimizer.progress(0) == 0);
}

TEST_CASE("step_parameters visits every element once, tails included", "[train]") {
  struct AddOne {
    void operator()(heed::Batch<double>& value, const heed::Batch<double>& grad) const { value += grad; }
  };
  for (const heed::Index cols : {1, 7, 8, 9, 8191, 8192, 8193, 20001}) {
    TwoTensors<double> model(1, 1, cols), grad(2, 1, cols);
    model.weight.setZero();
    grad.weight.setConstant(1);
    heed::ThreadPool pool(2);
    heed::step_parameters([]<class T>(T, Role) { return AddOne(); }, {}, pool, model, grad);
    const auto found = heed::flat(model.weight);
    CHECK(std::all_of(found.begin(), found.end(), [](double x) { return x == 1; }));
  }
}

TEST_CASE("an option outside its range is named with what was found and wanted", "[train]") {
  CHECK_THROWS_WITH(heed::check_option("Sgd", "momentum", -1, 0, 1),
                    "Sgd: momentum is -1.000000, wanted 0.000000 to 1.000000");
  CHECK_THROWS_AS(heed::check_option("Adam", "beta1", 1, 0, 1, heed::Bound::open), heed::Error);
  CHECK_THROWS_AS(heed::check_option("Adam", "beta1", std::nan(""), 0, 1), heed::Error);
  CHECK_NOTHROW(heed::check_option("Adam", "beta1", 1, 0, 1));
}
