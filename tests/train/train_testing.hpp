#pragma once
// What the optimizer tests share: a model of two tensors, one of which does not decay, and a textbook loop in double.

#include <array>
#include <cstdint>
#include <vector>

#include <heed/core/random.hpp>
#include <heed/core/tensor.hpp>
#include <heed/core/thread_pool.hpp>
#include <heed/nn/parameters.hpp>
#include "support/catch.hpp"
#include "support/tolerance.hpp"

namespace heed_test {

using heed::Index;
using heed::Role;
using heed::Tensor;

template <class T>
struct TwoTensors {
  Tensor<T, 2> weight;
  Tensor<T, 1> bias;  // no decay
  Tensor<T, 1> seen;  // a buffer: never stepped

  static void fields(auto&& visit, auto&... self) {
    visit("weight", self.weight...);
    visit("bias", self.bias..., Role::no_decay);
    visit("seen", self.seen..., Role::buffer);
  }

  explicit TwoTensors(std::uint64_t seed, Index rows = 37, Index cols = 11) : weight(rows, cols), bias(5), seen(3) {
    heed::Rng rng{seed, 0};
    heed::for_each_parameter(
        [&](std::string_view, Role, auto& tensor) {
          for (T& x : heed::flat(tensor)) x = static_cast<T>(rng.normal());
        },
        *this);
    bias(0) = seed == 1 ? T(0.5) : T(0);  // seed 1 is the weights: an element that never gets a gradient
  }
};

template <class T>
std::vector<T> all_elements(const TwoTensors<T>& model) {
  std::vector<T> all;
  heed::for_each_parameter(
      [&](std::string_view, Role, const auto& tensor) {
        all.insert(all.end(), heed::flat(tensor).begin(), heed::flat(tensor).end());
      },
      model);
  return all;
}

/// What a textbook says of one element: value and state change, `decay` is the weight decay of this element.
struct Element {
  double value = 0;
  std::array<double, 4> state{};
};

/// Steps `optimizer` and textbook(Element&, gradient, decays, step from 1) side by side and compares every element
/// after each of six steps; the largest error.
template <class T, class Optimizer, class Textbook>
double error_against_textbook(Optimizer optimizer, TwoTensors<T> model, const Textbook& textbook) {
  const auto start = all_elements(model);
  std::vector<Element> elements(start.size());
  for (std::size_t i = 0; i < start.size(); ++i) elements[i].value = static_cast<double>(start[i]);
  const auto weights = static_cast<std::size_t>(model.weight.size()), stepped = start.size() - 3;
  double worst = 0;
  for (int step = 1; step <= 6; ++step) {
    const TwoTensors<T> grad(static_cast<std::uint64_t>(10 + step), model.weight.dimension(0),
                             model.weight.dimension(1));
    const auto gradients = all_elements(grad);
    optimizer.step(model, grad);
    const auto found = all_elements(model);
    for (std::size_t i = 0; i < stepped; ++i)
      textbook(elements[i], static_cast<double>(gradients[i]), i < weights, step);
    for (std::size_t i = 0; i < found.size(); ++i)
      worst = std::max(worst, error(static_cast<double>(found[i]), elements[i].value));
  }
  return worst;
}

/// The bits after three steps with one thread, with three, and when the state was copied through fields half way.
template <class Make>
void check_bits_and_state(const Make& make) {
  using heed::for_each_parameter;
  TwoTensors<float> alone(1, 400, 70), shared(1, 400, 70), resumed(1, 400, 70);
  auto a = make(alone), b = make(shared), c = make(resumed);
  heed::Serial serial;
  heed::ThreadPool pool(3);
  for (std::uint64_t step = 0; step < 3; ++step) {
    const TwoTensors<float> grad(20 + step, 400, 70);
    a.step(alone, grad, serial);
    b.step(shared, grad, pool);
    c.step(resumed, grad, serial);
    auto fresh = make(resumed);
    for_each_parameter([](std::string_view, Role, auto& to, const auto& from) { to = from; }, fresh, c);
    c = fresh;
  }
  CHECK(all_same_bits(all_elements(alone), all_elements(shared)));
  CHECK(all_same_bits(all_elements(alone), all_elements(resumed)));
}

}  // namespace heed_test
