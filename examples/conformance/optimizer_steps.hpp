#pragma once
// What the optimizer cases share: two tensors, a gradient for each step, their values after it.

#include <functional>
#include <initializer_list>
#include <string>
#include <type_traits>
#include <utility>

#include "golden_case.hpp"

namespace conformance {

/// The two tensors of every case.
template <class T>
struct Pair {
  Tensor<T, 2> w;
  Tensor<T, 1> b;
  static void fields(auto&& visit, auto&... self) {
    visit("w", self.w...);
    visit("b", self.b...);
  }
};

/// X_0 and grad_X_1 ... of a case.
template <class T>
Pair<T> given_pair(const Case& golden, const std::string& before, const std::string& after) {
  return {golden.given<T, 2>(before + "w" + after), golden.given<T, 1>(before + "b" + after)};
}

/// Steps as often as there are gradients and hands back the weights after each; change(grad) comes before each step.
template <class T, class Optimizer>
void run_steps(Case& golden, typename std::type_identity_t<decltype(Optimizer::options)> options,
               const std::function<void(Pair<T>&)>& change = {}) {
  Pair<T> model = given_pair<T>(golden, "", "_0");
  Optimizer optimizer(model, std::move(options));
  for (int step = 1; golden.gives("grad_w_" + std::to_string(step)); ++step) {
    const std::string at = "_" + std::to_string(step);
    Pair<T> grad = given_pair<T>(golden, "grad_", at);
    if (change) change(grad);
    optimizer.step(model, grad);
    golden.answer("w" + at, model.w);
    golden.answer("b" + at, model.b);
  }
}

/// Options that are set and that heed does not know make another optimizer.
inline void refuse_options(const Case& golden, std::initializer_list<const char*> names) {
  for (const char* name : names) {
    if (golden.has_option(name) && golden.option<bool>(name)) throw NotOffered(std::string("the option ") + name);
  }
}

}  // namespace conformance
