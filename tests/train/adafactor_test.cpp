#include <heed/train/adafactor.hpp>

#include "train/train_testing.hpp"

using heed::Adafactor;
using heed::Convention;
using heed::Index;
using heed_test::TwoTensors;

namespace {

/// Adafactor read off algorithm 4 of the paper (or torch's code) in double, on a matrix or, for rows = 0, a vector.
struct Textbook {
  std::vector<double> value, row, column;
  Index rows, cols;

  void step(const std::vector<double>& grad, const heed::AdafactorOptions& o, double count, bool decays, double floor) {
    const auto size = static_cast<double>(value.size());
    const double beta = 1 - std::pow(count, o.smoothing_power), n = std::max<double>(1, double(rows));
    double squares = 0;
    for (double& w : value) squares += w * w;
    const double scale = std::max(o.smallest_scale, std::sqrt(squares / size));
    for (double& w : value) w *= decays ? 1 - o.learning_rate * o.weight_decay : 1;
    const double added = floor > 0 ? 0 : o.epsilon;
    std::vector<double> row_mean(row.size(), 0.0), column_mean(column.size(), 0.0);
    for (std::size_t i = 0; i < grad.size(); ++i) {
      const double square = grad[i] * grad[i] + added;
      if (rows > 0) row_mean[i / std::size_t(cols)] += square / double(cols);
      column_mean[i % std::size_t(cols)] += square / n;
    }
    double mean = 0;
    for (std::size_t i = 0; i < row.size(); ++i) {
      row[i] = beta * row[i] + (1 - beta) * row_mean[i];
      mean += row[i] / double(rows);
    }
    for (std::size_t i = 0; i < column.size(); ++i) column[i] = beta * column[i] + (1 - beta) * column_mean[i];
    std::vector<double> direction(grad.size());
    double power = 0;
    for (std::size_t i = 0; i < grad.size(); ++i) {
      double v = column[i % std::size_t(cols)];
      if (rows > 0) v *= row[i / std::size_t(cols)] / std::max(mean, floor);
      direction[i] = grad[i] / std::sqrt(std::max(v, floor * floor));
      power += direction[i] * direction[i];
    }
    const double cut = std::max(1.0, std::sqrt(power / size) / o.clip_threshold);
    const double rate = std::min(o.learning_rate, 1 / std::sqrt(count)) * scale / cut;
    for (std::size_t i = 0; i < grad.size(); ++i) value[i] -= rate * direction[i];
  }
};

template <class Tensor>
std::vector<double> doubles(const Tensor& tensor) {
  return {tensor.data(), tensor.data() + tensor.size()};
}

/// A stack of matrices, as a convolution's weight.
struct Stack {
  heed::Tensor<double, 3> weight{2, 3, 4};
  static void fields(auto&& visit, auto&... self) { visit("weight", self.weight...); }
};

}  // namespace

TEMPLATE_TEST_CASE("Adafactor follows the textbook in both conventions", "[train]", float, double) {
  using T = TestType;
  const auto convention = GENERATE(Convention::torch, Convention::keras);
  const Index rows = GENERATE(1, 37), cols = GENERATE(1, 11, 300);
  const double threshold = GENERATE(1.0, 0.3);
  TwoTensors<T> model(1, rows, cols);
  const heed::AdafactorOptions options{
      .learning_rate = 0.4, .clip_threshold = threshold, .weight_decay = 0.1, .convention = convention};
  Adafactor optimizer(model, options);
  const auto count = std::size_t(rows), width = std::size_t(cols);
  Textbook matrix{doubles(model.weight), std::vector<double>(count), std::vector<double>(width), rows, cols};
  Textbook vector{doubles(model.bias), {}, std::vector<double>(5), 0, 5};
  const double floor = convention == Convention::torch ? double(std::numeric_limits<T>::epsilon()) : 0;
  for (int step = 1; step <= 6; ++step) {
    const TwoTensors<T> grad(static_cast<std::uint64_t>(10 + step), rows, cols);
    optimizer.step(model, grad);
    matrix.step(doubles(grad.weight), options, step, true, floor);
    vector.step(doubles(grad.bias), options, step, false, floor);
    CHECK(heed_test::all_close(heed::flat(model.weight), matrix.value));
    CHECK(heed_test::all_close(heed::flat(model.bias), vector.value));
  }
}

TEST_CASE("Adafactor gives PyTorch's numbers", "[train]") {
  // torch.optim.Adafactor([w], lr=0.1, weight_decay=0.2) in float64, two steps
  Stack model, grad;
  for (Index i = 0; i < 24; ++i) {
    model.weight.data()[i] = 0.25 * double(i % 7) - 0.5;
    grad.weight.data()[i] = 0.5 - 0.125 * double((5 * i) % 11);
  }
  Adafactor optimizer(model, {.learning_rate = 0.1, .weight_decay = 0.2});
  optimizer.step(model, grad);
  for (double& g : heed::flat(grad.weight)) g = 0.75 - g;
  optimizer.step(model, grad);
  const std::vector<double> wanted = {
      -0.538528472400576, -0.286526576969616,  0.00301519683966691, 0.171152381221859,  0.476384704812475,
      0.645460691748495,  0.957372878947614,   -0.563247533097095,  -0.266939989589363, -0.123470002168293,
      0.215676089494319,  0.366653936693945,   0.681553259253657,   0.964571655026652,  -0.5386447310637,
      -0.234423398787925, -0.0853624690504238, 0.238696522109067,   0.385052959536967,  0.715486222555535,
      0.826199101859492,  -0.510317655164549,  -0.363013483603155,  -0.0391435545667267};
  CHECK(heed_test::all_close(heed::flat(model.weight), wanted));
}

TEST_CASE("Adafactor keeps rows and columns of a matrix, and nothing of buffers", "[train]") {
  const TwoTensors<float> model(1, 40, 30);
  const Adafactor optimizer(model);
  REQUIRE(optimizer.moments.size() == 3);
  CHECK(optimizer.moments[0].row.size() + optimizer.moments[0].column.size() == 70);
  CHECK(optimizer.moments[1].row.size() + optimizer.moments[1].column.size() == 5);
  CHECK(optimizer.moments[2].row.size() + optimizer.moments[2].column.size() == 0);
}

TEST_CASE("Adafactor gives the same bits for any number of threads and after its state was copied", "[train]") {
  heed_test::check_bits_and_state([](const auto& model) { return Adafactor(model, {.weight_decay = 0.1}); });
}

TEST_CASE("Adafactor leaves frozen parameters and buffers as they are", "[train]") {
  TwoTensors<float> model(1);
  const TwoTensors<float> before = model, grad(2);
  Adafactor optimizer(model, {.weight_decay = 0.1, .frozen = [](std::string_view name) { return name == "weight"; }});
  optimizer.step(model, grad);
  CHECK(heed_test::all_same_bits(heed::flat(model.weight), heed::flat(before.weight)));
  CHECK(heed_test::all_same_bits(heed::flat(model.seen), heed::flat(before.seen)));
  CHECK(model.bias(1) != before.bias(1));
}

TEST_CASE("Adafactor refuses options outside their range and another model's shapes", "[train]") {
  TwoTensors<float> model(1);
  CHECK_THROWS_AS(Adafactor(model, {.learning_rate = -1}), heed::Error);
  CHECK_THROWS_AS(Adafactor(model, {.smoothing_power = 0.5}), heed::Error);
  CHECK_THROWS_AS(Adafactor(model, {.epsilon = 0}), heed::Error);
  CHECK_THROWS_AS(Adafactor(model, {.clip_threshold = 0}), heed::Error);
  CHECK_THROWS_AS(Adafactor(model, {.weight_decay = std::nan("")}), heed::Error);
  Adafactor optimizer(model);
  TwoTensors<float> other(1, 11, 37);
  const TwoTensors<float> before = other;
  CHECK_THROWS_WITH(optimizer.step(other, other),
                    "Adafactor: weight has shape (11, 37), wanted the one that the optimizer was made for");
  CHECK(heed_test::all_same_bits(heed::flat(other.weight), heed::flat(before.weight)));
}
