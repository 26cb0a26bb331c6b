#include <heed/nn/parameters.hpp>

#include <string>
#include <vector>

#include "support/catch.hpp"

namespace {

using heed::Index;
using heed::Role;
using heed::Tensor;

template <class T>
struct Leaf {
  Tensor<T, 2> weight;
  Tensor<T, 1> bias;
  static void fields(auto&& visit, auto&... self) {
    visit("weight", self.weight...);
    visit("bias", self.bias..., Role::no_decay);
  }
};

template <class T>
struct Tree {
  Leaf<T> first;
  std::vector<Leaf<T>> layers;
  std::optional<Leaf<T>> extra;
  Tensor<T, 1> running;
  static void fields(auto&& visit, auto&... self) {
    visit("first", self.first...);
    visit("layers", self.layers...);
    visit("extra", self.extra...);
    visit("running", self.running..., Role::buffer);
  }
};

Leaf<double> leaf(double value) {
  Leaf<double> made{Tensor<double, 2>(2, 3), Tensor<double, 1>(2)};
  made.weight.setConstant(value);
  made.bias.setConstant(-value);
  return made;
}

Tree<double> tree() {
  Tree<double> made{leaf(1), {leaf(2), leaf(3)}, std::nullopt, Tensor<double, 1>(4)};
  made.running.setConstant(9);
  made.layers[1].bias.resize(0);  // switched off
  return made;
}

std::vector<std::string> names(const Tree<double>& model) {
  std::vector<std::string> all;
  heed::for_each_parameter([&](std::string_view name, Role, const auto&) { all.emplace_back(name); }, model);
  return all;
}

}  // namespace

TEST_CASE("the walk gives dotted names in the order of the fields and leaves out empty tensors", "[nn]") {
  Tree<double> model = tree();
  CHECK(names(model) == std::vector<std::string>{"first.weight", "first.bias", "layers.0.weight", "layers.0.bias",
                                                 "layers.1.weight", "running"});
  model.extra = leaf(4);
  CHECK(names(model).size() == 8);
  CHECK(names(model)[5] == "extra.weight");
}

TEST_CASE("roles reach the walker", "[nn]") {
  std::vector<Role> roles;
  const Tree<double> model = tree();
  heed::for_each_parameter([&](std::string_view, Role role, const auto&) { roles.push_back(role); }, model);
  CHECK(roles[0] == Role::parameter);
  CHECK(roles[1] == Role::no_decay);
  CHECK(roles[5] == Role::buffer);
}

TEST_CASE("zeros_like keeps the structure and parameter_count leaves buffers out", "[nn]") {
  const Tree<double> model = tree();
  const Tree<double> zero = heed::zeros_like(model);
  CHECK(names(zero) == names(model));
  CHECK(heed::parameter_count(model) == 6 + 2 + 6 + 2 + 6);
  heed::for_each_parameter(
      [](std::string_view, Role, const auto& tensor) {
        for (const double x : heed::flat(tensor)) CHECK(x == 0);
      },
      zero);
  CHECK(model.first.weight(1, 2) == 1);  // the model itself is untouched
}

TEST_CASE("several values are walked side by side and may be changed", "[nn]") {
  Tree<double> model = tree();
  const Tree<double> step = tree();
  heed::for_each_parameter([](std::string_view, Role, auto& p, const auto& d) { p += d; }, model, step);
  CHECK(model.layers[0].weight(0, 0) == 4);
  CHECK(model.first.bias(1) == -2);
  heed::set_zero(model);
  CHECK(model.layers[0].weight(0, 0) == 0);
}

TEST_CASE("values of another structure are refused by name", "[nn]") {
  Tree<double> model = tree(), other = tree();
  other.layers.pop_back();
  const auto walk = [&] { heed::for_each_parameter([](std::string_view, Role, auto&, auto&) {}, model, other); };
  CHECK_THROWS_AS(walk(), heed::Error);
  other = tree();
  other.first.bias.resize(3);
  try {
    walk();
    FAIL("no error");
  } catch (const heed::Error& error) {
    CHECK(std::string(error.what()).find("first.bias") != std::string::npos);
  }
}
