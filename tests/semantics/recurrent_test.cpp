// SEMANTICS 21 to 24: Bahdanau's, Luong's and cosine attention, the GRU, weights of other libraries, masked steps.

#include <heed/attention/bahdanau.hpp>
#include <heed/attention/cosine.hpp>
#include <heed/attention/luong.hpp>
#include <heed/io/keras_weights.hpp>
#include <heed/io/safetensors_writer.hpp>
#include <heed/io/state_dict.hpp>
#include <heed/kernels/reference_gru.hpp>
#include <heed/nn/bahdanau_decoder.hpp>
#include <heed/nn/gru.hpp>
#include <heed/nn/onnx_gru.hpp>

#include "attention/reader_testing.hpp"
#include "io/temp_folder.hpp"

using namespace heed;
using namespace heed_test;

namespace {

/// A read of the keys before lengths[b], against the loop over score(b, i, j).
template <class T, class Layer, class Score>
void check_read_loop(const Layer& layer, const Source<T>& in, const std::vector<Index>& lengths, const Score& score) {
  const auto found = layer.forward(in.state, layer.project(in.keys), in.values, lengths);
  for (Index b = 0; b < in.state.dimension(0); ++b)
    for (Index i = 0; i < in.state.dimension(1); ++i) {
      const Index length = lengths[std::size_t(b)];
      std::vector<double> weights(std::size_t(in.keys.dimension(1)), 0.0);
      double sum = 0, largest = -infinite<double>;
      for (Index j = 0; j < length; ++j) largest = std::fmax(largest, score(b, i, j));
      for (Index j = 0; j < length; ++j) sum += weights[std::size_t(j)] = std::exp(score(b, i, j) - largest);
      for (Index j = 0; j < length; ++j) weights[std::size_t(j)] /= sum;
      for (Index j = 0; j < in.keys.dimension(1); ++j) CHECK(close(found.weights(b, i, j), weights[std::size_t(j)]));
      for (Index e = 0; e < in.values.dimension(2); ++e) {
        double context = 0;
        for (Index j = 0; j < length; ++j) context += weights[std::size_t(j)] * double(in.values(b, j, e));
        CHECK(close(found.context(b, i, e), context));
      }
    }
}

/// Row `row` of weight times x(b, t, .), and the bias where there is one.
template <class T>
double projected(const Tensor<T, 2>& weight, const Tensor<T, 1>& bias, Index row, const Tensor<T, 3>& x, Index b,
                 Index t) {
  double sum = bias.size() > 0 ? double(bias(row)) : 0;
  for (Index k = 0; k < x.dimension(2); ++k) sum += double(weight(row, k)) * double(x(b, t, k));
  return sum;
}
template <class T>
double dot_of(const Tensor<T, 3>& x, Index i, const Tensor<T, 3>& y, Index j, Index b) {
  double sum = 0;
  for (Index d = 0; d < x.dimension(2); ++d) sum += double(x(b, i, d)) * double(y(b, j, d));
  return sum;
}
template <class T>
void randomize(Tensor<T, 1>& x, std::uint64_t seed) {
  x = random_tensor<T, 1>(extents(x), seed);
}

}  // namespace

TEMPLATE_TEST_CASE("semantics 21: Bahdanau's score is v . tanh(W_q q + W_k k + b), unscaled, over allowed keys",
                   "[semantics]", float, double) {
  using T = TestType;
  Rng rng{1, 0};
  const bool normalized = GENERATE(false, true);
  BahdanauAttention<T> layer({.units = 7, .query_dim = 4, .key_dim = 3, .weight_normalization = normalized}, rng);
  randomize(layer.query.bias, 2), randomize(layer.key.bias, 3);
  double factor = 1;
  if (normalized) {  // v is g v / |v|
    layer.score.gain(0) = T(1.7);
    double square = 0;
    for (const T x : flat(layer.score.weight)) square += double(x) * double(x);
    factor = double(layer.score.gain(0)) / std::sqrt(square);
  }
  const Source<T> in(3, 2, 9, 4, 3);
  const auto score = [&](Index b, Index i, Index j) {
    double sum = 0;
    for (Index u = 0; u < 7; ++u)
      sum += factor * double(layer.score.weight(0, u)) *
             std::tanh(projected(layer.query.weight, layer.query.bias, u, in.state, b, i) +
                       projected(layer.key.weight, layer.key.bias, u, in.keys, b, j));
    return sum;
  };
  check_read_loop(layer, in, {9, 1, 5}, score);
}

TEMPLATE_TEST_CASE("semantics 21: Keras' AdditiveAttention is W = I, b = 0", "[semantics]", float, double) {
  using T = TestType;
  Rng rng{1, 0};
  BahdanauAttention<T> layer({.units = 4, .query_dim = 4, .key_dim = 4, .query_bias = false, .key_bias = false}, rng);
  for (Tensor<T, 2>* const weight : {&layer.query.weight, &layer.key.weight})
    for (Index r = 0; r < 4; ++r)
      for (Index c = 0; c < 4; ++c) (*weight)(r, c) = r == c ? T(1) : T(0);
  const Source<T> in(2, 3, 8, 4, 4);
  check_read_loop(layer, in, {8, 6}, [&](Index b, Index i, Index j) {
    double sum = 0;
    for (Index d = 0; d < 4; ++d)
      sum += double(layer.score.weight(0, d)) * std::tanh(double(in.state(b, i, d)) + double(in.keys(b, j, d)));
    return sum;
  });
}

TEMPLATE_TEST_CASE(
    "semantics 21: W_k K is computed once, values default to the keys, nothing of Tq x Tk x units is kept",
    "[semantics]", float, double) {
  using T = TestType;
  Rng rng{1, 0};
  const BahdanauDecoder<T> decoder({.embedding_dim = 3, .hidden_dim = 4, .memory_dim = 5, .attention_units = 6}, rng);
  const auto values = random_tensor<T, 3>({2, 7, 5}, 4);
  const auto remembered = decoder.remember(values, {});
  CHECK(same_tensor(remembered.values, values));
  CHECK(same_tensor(remembered.keys, decoder.attention.project(values)));

  const Index queries = 5, keys = 1000, units = 6;
  const Source<T> in(1, queries, keys, 4, 5);
  const auto& layer = decoder.attention;
  const auto memory = layer.project(in.keys);  // the keys themselves are not needed any more
  CHECK(extents(memory) == Extents<3>{1, keys, units});
  const auto all = layer.forward(in.state, memory, in.values);
  for (Index i = 0; i < queries; ++i) {
    const Tensor<T, 2> state = in.state.chip(i, 1);
    const auto one = layer.forward(state, memory, in.values);
    CHECK(same_tensor(one.context, Tensor<T, 2>(all.context.chip(i, 1))));
    CHECK(same_tensor(one.weights, Tensor<T, 2>(all.weights.chip(i, 1))));
  }
  Workspace workspace(layer.workspace_bytes(queries));  // all that a call may use beside its results
  CHECK(workspace.size() < std::size_t(queries * keys) * sizeof(T));
  Tensor<T, 3> context(1, queries, 5), weights(1, queries, keys);
  Serial serial;
  layer.forward_into({context, weights}, in.state, memory, in.values, {}, workspace, serial);
  CHECK(same_tensor(context, all.context));
}

TEMPLATE_TEST_CASE("semantics 22: Luong's dot, general and concat, cosine with a temperature, all unscaled",
                   "[semantics]", float, double) {
  using T = TestType;
  Rng rng{1, 0};
  const std::vector<Index> lengths{9, 4};
  const Source<T> in(2, 3, 9, 4, 4), wide(2, 3, 9, 4, 6);
  check_read_loop(LuongAttention<T>({.score = LuongScore::dot, .query_dim = 4, .key_dim = 4}, rng), in, lengths,
                  [&](Index b, Index i, Index j) { return dot_of(in.state, i, in.keys, j, b); });
  const LuongAttention<T> general({.score = LuongScore::general, .query_dim = 4, .key_dim = 6}, rng);
  check_read_loop(general, wide, lengths, [&](Index b, Index i, Index j) {
    double sum = 0;
    for (Index q = 0; q < 4; ++q)
      sum += double(wide.state(b, i, q)) * projected(general.general.weight, {}, q, wide.keys, b, j);
    return sum;
  });
  const LuongAttention<T> concat({.score = LuongScore::concat, .query_dim = 4, .key_dim = 6, .units = 5}, rng);
  check_read_loop(concat, wide, lengths, [&](Index b, Index i, Index j) {
    double sum = 0;  // v . tanh(W [q; k])
    for (Index u = 0; u < 5; ++u)
      sum += double(concat.concat.score.weight(0, u)) *
             std::tanh(projected(concat.concat.query.weight, {}, u, wide.state, b, i) +
                       projected(concat.concat.key.weight, {}, u, wide.keys, b, j));
    return sum;
  });
  for (const T temperature : {T(1), T(0.25)})
    check_read_loop(CosineAttention<T>({.temperature = temperature}), in, lengths, [&](Index b, Index i, Index j) {
      return dot_of(in.state, i, in.keys, j, b) / double(temperature) /
             std::sqrt(dot_of(in.state, i, in.state, i, b) * dot_of(in.keys, j, in.keys, j, b));
    });
}

namespace {

/// One GRU step by reference_gru.hpp.
template <class T>
std::vector<double> textbook_step(const GruCell<T>& cell, const std::vector<double>& x, const std::vector<double>& h) {
  const auto copy = [](const auto& tensor) {
    const auto all = flat(tensor);
    return std::vector<double>(all.begin(), all.end());
  };
  const auto w = copy(cell.weight_ih), u = copy(cell.weight_hh), b = copy(cell.bias_ih), c = copy(cell.bias_hh);
  const auto form = cell.reset == GruReset::after ? reference::GruReset::after : reference::GruReset::before;
  return reference::gru_step({{w.data(), 3 * cell.hidden_dim(), cell.input_dim()},
                              {u.data(), 3 * cell.hidden_dim(), cell.hidden_dim()},
                              b.data(),
                              c.data()},
                             {form, reference::GruGate::sigmoid}, x.data(), h.data())
      .next;
}

/// Gates r, z, n of one cell, in any order and orientation.
struct Gates {
  static constexpr Index hidden = 3, input = 2;
  Tensor<double, 3> w = random_tensor<double, 3>({3, hidden, input}, 1),
                    u = random_tensor<double, 3>({3, hidden, hidden}, 2);
  Tensor<double, 2> b = random_tensor<double, 2>({3, hidden}, 3), c = random_tensor<double, 2>({3, hidden}, 4);

  /// (3 hidden, cols) with these gates one below the other, or its transpose.
  static std::vector<double> rows(const Tensor<double, 3>& x, const std::vector<Index>& order) {
    std::vector<double> all;
    for (const Index gate : order)
      for (Index r = 0; r < hidden; ++r)
        for (Index k = 0; k < x.dimension(2); ++k) all.push_back(x(gate, r, k));
    return all;
  }
  static std::vector<double> columns(const Tensor<double, 3>& x, const std::vector<Index>& order) {
    std::vector<double> all;
    for (Index k = 0; k < x.dimension(2); ++k)
      for (const Index gate : order)
        for (Index r = 0; r < hidden; ++r) all.push_back(x(gate, r, k));
    return all;
  }
  std::vector<double> biases(const std::vector<Index>& order) const {
    std::vector<double> all;
    for (const Tensor<double, 2>* const x : {&b, &c})
      for (const Index gate : order)
        for (Index r = 0; r < hidden; ++r) all.push_back((*x)(gate, r));
    return all;
  }
};

}  // namespace

TEMPLATE_TEST_CASE("semantics 23: h' = z h + (1 - z) n, reset after by default, reset before offered", "[semantics]",
                   float, double) {
  using T = TestType;
  CHECK(typename Gru<T>::Config{}.reset == GruReset::after);
  CHECK(typename GruCell<T>::Config{}.reset == GruReset::after);
  Rng rng{1, 0};
  const Gru<T> gru({.input_dim = 4, .hidden_dim = 5, .reset = GENERATE(GruReset::after, GruReset::before)}, rng);
  const auto x = random_tensor<T, 3>({2, 6, 4}, 2, 2);
  const auto found = gru.forward(x);
  for (Index b = 0; b < 2; ++b) {
    std::vector<double> state(5, 0.0);
    for (Index t = 0; t < 6; ++t) {
      std::vector<double> now;
      for (Index i = 0; i < 4; ++i) now.push_back(double(x(b, t, i)));
      state = textbook_step(*gru.layers[0].forward, now, state);
      for (Index u = 0; u < 5; ++u) CHECK(close(found.output(b, t, u), state[std::size_t(u)]));
    }
  }
}

TEST_CASE("semantics 23: torch's gates are r, z, n, those of Keras and ONNX z, r, h", "[semantics]") {
  const Gates gates;
  const std::vector<Index> rzn{0, 1, 2}, zrh{1, 0, 2};
  const Index rows = 3 * Gates::hidden;
  const TempFolder folder;
  SafetensorsWriter torch, keras;
  const auto rnn_b = gates.biases(rzn), keras_b = gates.biases(zrh);
  torch.add_copy<double>("weight_ih_l0", {rows, Gates::input}, Gates::rows(gates.w, rzn));
  torch.add_copy<double>("weight_hh_l0", {rows, Gates::hidden}, Gates::rows(gates.u, rzn));
  torch.add_copy<double>("bias_ih_l0", {rows}, std::vector<double>(rnn_b.begin(), rnn_b.begin() + rows));
  torch.add_copy<double>("bias_hh_l0", {rows}, std::vector<double>(rnn_b.begin() + rows, rnn_b.end()));
  torch.save(folder / "torch.safetensors");
  keras.add_copy<double>("kernel", {Gates::input, rows}, Gates::columns(gates.w, zrh));
  keras.add_copy<double>("recurrent_kernel", {Gates::hidden, rows}, Gates::columns(gates.u, zrh));
  keras.add_copy<double>("bias", {2, rows}, keras_b);
  keras.save(folder / "keras.safetensors");

  Rng rng{1, 0};
  Gru<double> from_torch({.input_dim = Gates::input, .hidden_dim = Gates::hidden}, rng);
  load_state_dict(SafetensorsFile::read(folder / "torch.safetensors"), from_torch);
  GruCell<double> from_keras({.input_dim = Gates::input, .hidden_dim = Gates::hidden}, rng);
  load_keras(SafetensorsFile::read(folder / "keras.safetensors"), "", from_keras);
  const auto w = Gates::rows(gates.w, zrh), u = Gates::rows(gates.u, zrh);
  const OnnxGruWeights<double> onnx{
      {w.data(), rows, Gates::input}, {u.data(), rows, Gates::hidden}, keras_b, GruReset::after};
  const GruCell<double> from_onnx = gru_cell_from_onnx(onnx);
  const GruCell<double>& wanted = *from_torch.layers[0].forward;
  for (Index gate = 0; gate < 3; ++gate)
    for (Index r = 0; r < Gates::hidden; ++r) {
      CHECK(wanted.weight_ih(gate * Gates::hidden + r, 1) == gates.w(gate, r, 1));
      CHECK(wanted.bias_hh(gate * Gates::hidden + r) == gates.c(gate, r));
    }
  for (const auto* const cell : {&std::as_const(from_keras), &from_onnx}) {
    CHECK(same_tensor(cell->weight_ih, wanted.weight_ih));
    CHECK(same_tensor(cell->weight_hh, wanted.weight_hh));
    CHECK(same_tensor(cell->bias_ih, wanted.bias_ih));
    CHECK(same_tensor(cell->bias_hh, wanted.bias_hh));
    CHECK(cell->reset == GruReset::after);
  }
  CHECK(OnnxGruWeights<double>{}.reset == GruReset::before);  // linear_before_reset is 0 by default
}

TEMPLATE_TEST_CASE(
    "semantics 24: a masked step keeps the state, repeats the last output or gives zeros; reverse runs over the true "
    "length",
    "[semantics]", float, double) {
  using T = TestType;
  const auto directions = GENERATE(Directions::forward, Directions::reverse, Directions::both);
  const auto masked = GENERATE(MaskedOutput::repeat, MaskedOutput::zero);
  CHECK(typename Gru<T>::Options{}.masked_output == MaskedOutput::repeat);
  Rng rng{1, 0};
  const Gru<T> gru({.input_dim = 3, .hidden_dim = 4, .layers = 1, .directions = directions}, rng);
  const Index dirs = gru.directions();
  auto x = random_tensor<T, 3>({4, 7, 3}, 2);
  const std::vector<Index> lengths{7, 3, 1, 0};
  for (Index b = 0; b < 4; ++b)
    for (Index t = lengths[std::size_t(b)]; t < 7; ++t) x.chip(b, 0).chip(t, 0).setConstant(not_a_number<T>);
  const auto initial = random_tensor<T, 3>({dirs, 4, 4}, 3);
  const auto found = gru.forward(x, {.lengths = lengths, .initial_state = &initial, .masked_output = masked});
  for (Index b = 0; b < 4; ++b) {
    const Index length = lengths[std::size_t(b)];
    const Tensor<T, 3> own = x.slice(Extents<3>{b, 0, 0}, Extents<3>{1, length, 3});
    const Tensor<T, 3> own_state = initial.slice(Extents<3>{0, b, 0}, Extents<3>{dirs, 1, 4});
    const auto alone = gru.forward(own, {.initial_state = &own_state});  // without a mask
    for (Index d = 0; d < dirs; ++d) {
      const bool reverse = directions == Directions::reverse || d == 1;
      for (Index u = 0; u < 4; ++u) {
        const Index at = 4 * d + u;
        CHECK(same_bits(found.state(d, b, u), alone.state(d, 0, u)));
        for (Index t = 0; t < length; ++t) CHECK(same_bits(found.output(b, t, at), alone.output(0, t, at)));
        const T last = masked == MaskedOutput::zero || reverse || length == 0 ? T(0) : alone.output(0, length - 1, at);
        for (Index t = length; t < 7; ++t) CHECK(same_bits(found.output(b, t, at), last));
        if (length == 0) CHECK(same_bits(found.state(d, b, u), initial(d, b, u)));
        if (length > 0) CHECK(same_bits(found.state(d, b, u), found.output(b, reverse ? 0 : length - 1, at)));
      }
    }
  }
}
