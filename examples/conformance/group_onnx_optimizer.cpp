// onnx: one step of Adagrad, Adam and Momentum from given moments, over one tensor or several.

#include <heed/train/adagrad.hpp>
#include <heed/train/adam.hpp>
#include <heed/train/sgd.hpp>

#include "folded.hpp"
#include "registry.hpp"

namespace conformance {
namespace {

/// A node's tensors as a model.
struct Tensors {
  std::vector<Tensor<float, 1>> x;
  static void fields(auto&& visit, auto&... self) { visit("x", self.x...); }
};

/// The operands R, T, then all X, all G and all of every moment; the results all new X and all new moments.
class Node {
 public:
  Node(Case& golden, std::size_t moments) : golden_(golden), inputs_(golden.json().at("inputs")) {
    const std::size_t kinds = 2 + moments;
    if (inputs_.size() < 2 + kinds || (inputs_.size() - 2) % kinds != 0) throw NotOffered("an optimizer of these operands");
    count_ = (inputs_.size() - 2) / kinds;
  }

  float attribute(const char* name, float otherwise) const { return golden_.json().at("attributes").value(name, otherwise); }
  double rate() const { return golden_.given_values<float>(name(0)).at(0); }
  Index steps_done() const { return given_indices(golden_, name(1)).at(0); }
  /// 0: X, 1: G, 2 on: the moments.
  Tensors given(std::size_t kind) const {
    Tensors tensors;
    for (std::size_t i = 0; i < count_; ++i) {
      const std::vector<float> values = golden_.given_values<float>(name(2 + kind * count_ + i));
      tensors.x.emplace_back(static_cast<Index>(values.size()));
      std::copy(values.begin(), values.end(), tensors.x.back().data());
    }
    return tensors;
  }
  /// 0: X, 1 on: the moments.
  void answer(std::size_t kind, const Tensors& tensors) {
    for (std::size_t i = 0; i < count_; ++i) {
      const auto output = golden_.json().at("outputs").at(kind * count_ + i).get<std::string>();
      answer_as(golden_, "output." + output, golden_.expected_shape("output." + output), tensors.x[i]);
    }
  }

 private:
  std::string name(std::size_t operand) const { return "input." + inputs_.at(operand).get<std::string>(); }

  Case& golden_;
  const nlohmann::json& inputs_;
  std::size_t count_ = 0;
};

void run_adagrad(Case& golden) {
  Node node(golden, 1);
  Tensors x = node.given(0);
  heed::Adagrad<Tensors> optimizer(x, {.learning_rate = node.rate(),
                                       .rate_decay = node.attribute("decay_factor", 0),
                                       .epsilon = node.attribute("epsilon", 1e-6f),
                                       .weight_decay = node.attribute("norm_coefficient", 0)});
  optimizer.progress(0) = static_cast<double>(node.steps_done());
  optimizer.square = node.given(2);
  optimizer.step(x, node.given(1));
  node.answer(0, x);
  node.answer(1, optimizer.square);
}

/// epsilon is added where Keras adds it. ONNX counts this step in T already, and T = 0 means no correction of the moments'
/// start: a count from which nothing is left of it.
void run_adam(Case& golden) {
  Node node(golden, 2);
  Tensors x = node.given(0);
  heed::Adam<Tensors> optimizer(x, {.learning_rate = node.rate(),
                                    .beta1 = node.attribute("alpha", 0.9f),
                                    .beta2 = node.attribute("beta", 0.999f),
                                    .epsilon = node.attribute("epsilon", 1e-6f),
                                    .weight_decay = node.attribute("norm_coefficient", 0),
                                    .convention = heed::Convention::keras});
  constexpr double long_run = 1e9;
  const Index count = node.steps_done();
  optimizer.progress(0) = count == 0 ? long_run : static_cast<double>(count - 1);
  optimizer.first = node.given(2);
  optimizer.second = node.given(3);
  optimizer.step(x, node.given(1));
  for (Tensor<float, 1>& values : x.x) values = values * (1 - node.attribute("norm_coefficient_post", 0));
  node.answer(0, x);
  node.answer(1, optimizer.first);
  node.answer(2, optimizer.second);
}

void run_momentum(Case& golden) {
  Node node(golden, 1);
  Tensors x = node.given(0);
  const bool nesterov = golden.json().at("attributes").at("mode").get<std::string>() == "nesterov";
  heed::Sgd<Tensors> optimizer(x, {.learning_rate = node.rate(),
                                   .momentum = node.attribute("alpha", 0),
                                   .dampening = 1 - node.attribute("beta", 1),
                                   .kind = nesterov ? heed::Momentum::nesterov : heed::Momentum::classical,
                                   .weight_decay = node.attribute("norm_coefficient", 0)});
  optimizer.progress(0) = static_cast<double>(node.steps_done());
  optimizer.velocity = node.given(2);
  optimizer.step(x, node.given(1));
  node.answer(0, x);
  node.answer(1, optimizer.velocity);
}

}  // namespace

void add_onnx_optimizer(Registry& registry) {
  registry.add("Adagrad", run_adagrad);
  registry.add("Adam", run_adam);
  registry.add("Momentum", run_momentum);
}

}  // namespace conformance
