#include <heed/nn/lstm_cell.hpp>

#include <heed/nn/lstm.hpp>

#include "nn/layer_testing.hpp"
#include "support/catch.hpp"
#include "support/tolerance.hpp"

using heed::Index;
using heed::LstmCell;
using heed::Tensor;
using heed_test::random_tensor;

TEST_CASE("an LSTM cell steps to the same bits as the sequence does, in place too", "[nn]") {
  heed::Rng rng{7, 0};
  heed::Lstm<float> lstm({.input_dim = 5, .hidden_dim = 9}, rng);
  const LstmCell<float>& cell = *lstm.layers[0].forward;
  const auto x = random_tensor<float>(1, 3, 4, 5);
  const auto result = lstm.forward(x);
  Tensor<float, 2> state = heed::zeros<float, 2>({3, 9}), memory = state;
  heed::Workspace workspace(cell.step_bytes(3));
  for (Index t = 0; t < 4; ++t) {
    const auto now = heed_test::step_of(x, t);
    cell.step_into({heed::as_matrix(state), heed::as_matrix(memory)}, heed::as_matrix(now),
                   {heed::as_matrix(std::as_const(state)), heed::as_matrix(std::as_const(memory))}, workspace);
    CHECK(heed_test::all_same_bits(heed::flat(state), heed::flat(heed_test::step_of(result.output, t))));
  }
  CHECK(heed_test::all_same_bits(heed::flat(memory), heed::flat(result.last.cell)));
}

TEST_CASE("an LSTM cell has torch's parameters, with and without biases", "[nn]") {
  heed::Rng rng{7, 0};
  CHECK(heed::parameter_count(LstmCell<float>({.input_dim = 3, .hidden_dim = 4}, rng)) == 4 * 4 * (3 + 4 + 2));
  CHECK(heed::parameter_count(LstmCell<float>({.input_dim = 3, .hidden_dim = 4, .bias = heed::Bias::no}, rng)) ==
        4 * 4 * (3 + 4));
}

TEST_CASE("an LSTM cell refuses what does not fit, before it writes", "[nn]") {
  heed::Rng rng{7, 0};
  CHECK_THROWS_WITH(LstmCell<float>({.input_dim = 3}, rng),
                    "LstmCell: input_dim is 3 and hidden_dim 0, wanted both positive");
  const LstmCell<float> cell({.input_dim = 3, .hidden_dim = 4}, rng);
  Tensor<float, 2> x(2, 3), wide(2, 4), state = heed::zeros<float, 2>({2, 4}), memory = state;
  heed::Workspace workspace(cell.step_bytes(2)), small(8);
  const auto step = [&](const auto& in, auto& h, auto& c, heed::Workspace& space) {
    cell.step_into({heed::as_matrix(h), heed::as_matrix(c)}, heed::as_matrix(std::as_const(in)),
                   {heed::as_matrix(std::as_const(state)), heed::as_matrix(std::as_const(memory))}, space);
  };
  CHECK_THROWS_WITH(step(wide, state, memory, workspace), "LstmCell::step_into: x has shape (2, 4), wanted (any, 3)");
  CHECK_THROWS_WITH(step(x, x, memory, workspace), "LstmCell::step_into: out.state has shape (2, 3), wanted (2, 4)");
  CHECK_THROWS_AS(step(x, state, memory, small), heed::Error);
  CHECK(state(1, 3) == 0);
}
