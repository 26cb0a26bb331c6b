#include <heed/nn/batch_norm.hpp>

#include <heed/core/thread_pool.hpp>

#include "nn/gradient_testing.hpp"
#include "support/catch.hpp"
#include "support/tolerance.hpp"

using heed::BatchNorm;
using heed::Index;
using heed::Statistics;
using heed::Tensor;
using heed_test::random_tensor;

namespace {

void fill(auto& tensor, int factor, int modulus, double scale) {
  using T = heed::scalar_t<decltype(tensor)>;
  for (int k = 0; k < tensor.size(); ++k) tensor.data()[k] = T(scale * ((factor * k) % modulus - modulus / 2));
}

}  // namespace

TEMPLATE_TEST_CASE("BatchNorm gives PyTorch's numbers in training, backward, running statistics and evaluation", "[nn]",
                   float, double) {
  using T = TestType;
  BatchNorm<T> norm({.channels = 2, .momentum = 0.3});
  CHECK(heed::parameter_count(norm) == 4);
  fill(norm.weight, 3, 5, 0.5);
  fill(norm.bias, 4, 5, 0.25);
  Tensor<T, 4> x(2, 2, 2, 3);
  fill(x, 7, 13, 0.25);
  typename BatchNorm<T>::Cache cache;
  const auto y = norm.forward(x, Statistics::batch, &cache);
  auto d_y = y;
  fill(d_y, 3, 7, 0.5);
  auto grad = heed::zeros_like(norm);
  const auto d_x = norm.backward(d_y, cache, grad);
  CHECK(norm.running_mean(0) == 0);  // until update
  norm.update(cache);
  const std::vector<double> output = {0.761270498696591,  -1.31611620503897,  0.464500969591511,  -1.61288573414405,
                                      0.167731440486431,  -1.90965526324913,  -0.130635249348296, 0.908058102519485,
                                      0.0177495152042445, 1.05644286707203,   0.166134279756785,  1.20482763162457,
                                      -1.01934667593389,  0.761270498696591,  -1.31611620503897,  0.464500969591511,
                                      -1.61288573414405,  0.167731440486431,  0.759673337966945,  -0.130635249348296,
                                      0.908058102519485,  0.0177495152042445, 1.05644286707203,   0.166134279756785};
  const std::vector<double> d_input = {1.95159548551227,   -0.355031460421813, -1.68478311679206,  0.163363344744976,
                                       -1.16638831162527,  0.681758149911764,  0.484084592655472,  -1.13371166983229,
                                       0.125783899826472,  0.585374341074269,  -0.232516793002529, 0.227073648245268,
                                       0.90719090904188,   -0.42256074732837,  1.42558571420867,   0.0958340578384187,
                                       -2.21079288809567,  0.614228863005207,  0.41166713941703,   -0.406223994659768,
                                       0.0533664465880288, -0.764524687488769, -0.304934246240972, 0.954561323417792};
  const std::vector<double> d_weight = {-2.55963718853132, 4.19186959860926};
  const std::vector<double> d_bias = {-1.5, 1.5};
  const std::vector<double> mean = {-0.13125, 0.09375};
  const std::vector<double> variance = {0.932244318181818, 0.932244318181818};
  const std::vector<double> evaluated = {0.917610529519775,  -0.894859553884503, 0.658686231890592,  -1.15378385151369,
                                         0.399761934261409,  -1.41270814914287,  0.0630652477507544, 0.969300289452893,
                                         0.192527396565346,  1.09876243826748,   0.321989545379937,  1.22822458708208,
                                         -0.635935256255321, 0.917610529519775,  -0.894859553884503, 0.658686231890592,
                                         -1.15378385151369,  0.399761934261409,  0.839838140638302,  0.0630652477507544,
                                         0.969300289452893,  0.192527396565346,  1.09876243826748,   0.321989545379937};
  CHECK(heed_test::all_close(heed::flat(y), output));
  CHECK(heed_test::all_close(heed::flat(d_x), d_input));
  CHECK(heed_test::all_close(heed::flat(grad.weight), d_weight));
  CHECK(heed_test::all_close(heed::flat(grad.bias), d_bias));
  CHECK(heed_test::all_close(heed::flat(norm.running_mean), mean));
  CHECK(heed_test::all_close(heed::flat(norm.running_var), variance));
  CHECK(heed_test::all_close(heed::flat(norm.forward(x)), evaluated));
}

TEST_CASE("BatchNorm's gradients equal central differences with either statistics, over one axis and none", "[nn]") {
  const auto statistics = GENERATE(Statistics::batch, Statistics::running);
  BatchNorm<double> norm({.channels = 3});
  norm.weight = random_tensor<double>(1, 3);
  norm.running_mean = random_tensor<double>(2, 3);
  norm.running_var(1) = 2.5;
  const auto compare = [&](auto x, const auto& d_y) {
    BatchNorm<double>::Cache cache;
    norm.forward(x, statistics, &cache);
    auto grad = heed::zeros_like(norm);
    auto d_x = norm.backward(d_y, cache, grad);
    const auto found = heed::check_gradients(
        norm, grad, [&] { return heed_test::weighted_total(norm.forward(x, statistics), d_y); }, std::tie(x, d_x));
    INFO(found.worst_name << " " << found.worst_element);
    CHECK(found.worst_error < 1e-8);
  };
  compare(random_tensor<double>(3, 4, 3, 5), random_tensor<double>(4, 4, 3, 5));
  compare(random_tensor<double>(5, 6, 3), random_tensor<double>(6, 6, 3));
}

TEST_CASE("BatchNorm's update takes Keras' variance where it is told, and leaves a frozen layer", "[nn]") {
  BatchNorm<double> norm({.channels = 1, .momentum = 1, .running_variance = heed::RunningVariance::biased});
  Tensor<double, 2> x(4, 1);
  x.setValues({{1}, {2}, {3}, {6}});
  BatchNorm<double>::Cache cache;
  norm.forward(x, Statistics::batch, &cache);
  norm.update(cache);
  CHECK(norm.running_mean(0) == Approx(3));
  CHECK(norm.running_var(0) == Approx(3.5));
  norm.forward(x, Statistics::running, &cache);
  norm.update(cache);
  CHECK(norm.running_var(0) == Approx(3.5));
}

TEST_CASE("BatchNorm's buffers are saved but never stepped, and its bits depend on no threads", "[nn]") {
  BatchNorm<float> norm({.channels = 7});
  Index buffers = 0;
  heed::for_each_parameter(
      [&](std::string_view name, heed::Role role, const auto&) {
        CHECK((role == heed::Role::buffer) == (name == "running_mean" || name == "running_var"));
        buffers += role == heed::Role::buffer;
      },
      norm);
  CHECK(buffers == 2);
  const auto x = random_tensor<float>(1, 5, 7, 33), d_y = random_tensor<float>(2, 5, 7, 33);
  heed::Serial serial;
  heed::ThreadPool pool(3);
  BatchNorm<float>::Cache a, b;
  const auto one = norm.forward(x, Statistics::batch, &a, serial), three = norm.forward(x, Statistics::batch, &b, pool);
  CHECK(heed_test::all_same_bits(heed::flat(one), heed::flat(three)));
  auto grad = heed::zeros_like(norm), grad_three = grad;
  const auto d_one = norm.backward(d_y, a, grad, serial), d_three = norm.backward(d_y, b, grad_three, pool);
  CHECK(heed_test::all_same_bits(heed::flat(d_one), heed::flat(d_three)));
  CHECK(heed_test::all_same_bits(heed::flat(grad.weight), heed::flat(grad_three.weight)));
}

TEST_CASE("BatchNorm refuses what does not fit", "[nn]") {
  CHECK_THROWS_AS(BatchNorm<float>({.channels = 0}), heed::Error);
  CHECK_THROWS_AS(BatchNorm<float>({.channels = 1, .epsilon = -1}), heed::Error);
  CHECK_THROWS_AS(BatchNorm<float>({.channels = 1, .momentum = 2}), heed::Error);
  BatchNorm<float> norm({.channels = 3});
  CHECK_THROWS_WITH(norm.forward(Tensor<float, 2>(2, 4)), "BatchNorm::forward: x has shape (2, 4), wanted (any, 3)");
  CHECK_THROWS_AS(norm.forward(random_tensor<float>(1, 1, 3), Statistics::batch), heed::Error);
  CHECK(norm.forward(random_tensor<float>(1, 1, 3)).size() == 3);
  CHECK_THROWS_AS(BatchNorm<float>().forward(Tensor<float, 2>(2, 4)), heed::Error);
  auto grad = heed::zeros_like(norm);
  CHECK_THROWS_AS(norm.backward(random_tensor<float>(1, 2, 3), {}, grad), heed::Error);
  CHECK_THROWS_AS(norm.update({}), heed::Error);
}
