#pragma once
// What every layer that reads a memory must satisfy, whatever its score: shared by the tests of Bahdanau, Luong and
// cosine.

#include <vector>

#include <heed/attention/memory_projection.hpp>
#include <heed/nn/parameters.hpp>

#include "attention/attention_testing.hpp"

namespace heed_test {

using heed::Mask;
using heed::MemoryGradient;
using heed::View;

/// One source and its queries.
template <class T>
struct Source {
  Tensor<T, 3> state, keys, values, d_context, d_weights;
  Source(Index batch, Index query_length, Index key_length, Index query_dim, Index key_dim, Index value_dim = 5)
      : state(random_tensor<T, 3>({batch, query_length, query_dim}, 11)),
        keys(random_tensor<T, 3>({batch, key_length, key_dim}, 12)),
        values(random_tensor<T, 3>({batch, key_length, value_dim}, 13)),
        d_context(random_tensor<T, 3>({batch, query_length, value_dim}, 14)),
        d_weights(random_tensor<T, 3>({batch, query_length, key_length}, 15)) {}
};

template <class T, class Layer>
struct Gradients {
  Tensor<T, 3> state, keys, values;
  Layer layer;
};

template <class Layer, class T>
auto project_back(const Layer& layer, const Tensor<T, 3>& keys, const MemoryGradient<T>& memory, Layer& grad) {
  if constexpr (requires { layer.project_backward(keys, memory, grad); }) {
    return layer.project_backward(keys, memory, grad);
  } else {
    return layer.project_backward(keys, memory);
  }
}

/// Forward and backward of one read.
template <class T, class Layer>
Gradients<T, Layer> gradients_of(const Layer& layer, const Source<T>& in, const Mask& mask) {
  const auto memory = layer.project(in.keys);
  typename Layer::Cache cache;
  layer.forward(in.state, memory, in.values, mask, &cache);
  Layer grad = heed::zeros_like(layer);
  auto memory_grad = heed::zero_memory_gradient(memory, in.values);
  auto d_state = layer.backward(in.d_context, cache, memory, in.values, mask, grad, memory_grad, in.d_weights);
  auto d_keys = project_back(layer, in.keys, memory_grad, grad);
  return {d_state, d_keys, memory_grad.values, grad};
}

/// Every gradient against central differences of sum(context * d_context) + sum(weights * d_weights).
template <class Layer>
void check_gradients(Layer layer, Source<double> in, const Mask& mask) {
  const auto found = gradients_of(layer, in, mask);
  const auto loss = [&] {
    const auto read = layer.forward(in.state, layer.project(in.keys), in.values, mask);
    double sum = 0;
    for (Index i = 0; i < read.context.size(); ++i) sum += read.context.data()[i] * in.d_context.data()[i];
    for (Index i = 0; i < read.weights.size(); ++i) sum += read.weights.data()[i] * in.d_weights.data()[i];
    return sum;
  };
  check_central_differences(heed::flat(in.state), heed::flat(found.state), loss);
  check_central_differences(heed::flat(in.keys), heed::flat(found.keys), loss);
  check_central_differences(heed::flat(in.values), heed::flat(found.values), loss);
  heed::for_each_parameter(
      [&](std::string_view, heed::Role, auto& x, auto& gradient) {
        check_central_differences(heed::flat(x), heed::flat(gradient), loss);
      },
      layer, found.layer);
}

template <class Layer, class T>
bool same_gradients(const Gradients<T, Layer>& a, const Gradients<T, Layer>& b) {
  bool same = same_tensor(a.state, b.state) && same_tensor(a.keys, b.keys) && same_tensor(a.values, b.values);
  heed::for_each_parameter([&](std::string_view, heed::Role, auto& x,
                               auto& y) { same = same && all_same_bits(heed::flat(x), heed::flat(y)); },
                           a.layer, b.layer);
  return same;
}

/// A sample's context, weights and gradients have the same bits alone, among 3 and among 64, padded or not.
template <class Layer, class T>
void check_sample_bits(const Layer& layer, Index query_dim, Index key_dim) {
  const Index length = 19, padded_length = 40, target = 2;
  const Source<T> in(64, 3, padded_length, query_dim, key_dim);
  const auto run = [&](Index batch, Index first, Index key_length) {
    Source<T> part(0, 0, 0, 1, 1);
    part.state = corner(in.state, {batch, 3, query_dim}, first);
    part.keys = corner(in.keys, {batch, key_length, key_dim}, first);
    part.values = corner(in.values, {batch, key_length, 5}, first);
    part.d_context = corner(in.d_context, {batch, 3, 5}, first);
    part.d_weights = corner(in.d_weights, {batch, 3, key_length}, first);
    const std::vector<Index> lengths(static_cast<std::size_t>(batch), length);
    const Mask mask = heed::key_lengths(lengths);
    const auto read = layer.forward(part.state, layer.project(part.keys), part.values, mask);
    const auto grad = gradients_of(layer, part, mask);
    const Index at = target - first;
    return std::tuple(corner(read.context, {1, 3, 5}, at), corner(read.weights, {1, 3, length}, at),
                      corner(grad.state, {1, 3, query_dim}, at), corner(grad.keys, {1, length, key_dim}, at),
                      corner(grad.values, {1, length, 5}, at));
  };
  const auto alone = run(1, target, length);
  for (const auto& other : {run(1, target, padded_length), run(3, 0, length), run(64, 0, padded_length)}) {
    CHECK(same_tensor(std::get<0>(alone), std::get<0>(other)));
    CHECK(same_tensor(std::get<1>(alone), std::get<1>(other)));
    CHECK(same_tensor(std::get<2>(alone), std::get<2>(other)));
    CHECK(same_tensor(std::get<3>(alone), std::get<3>(other)));
    CHECK(same_tensor(std::get<4>(alone), std::get<4>(other)));
  }
}

/// NaN behind the lengths, in a boolean hole and in a masked query changes no bit of a result or gradient.
template <class Layer, class T>
void check_poison(const Layer& layer, Index query_dim, Index key_dim) {
  const Source<T> clean(3, 2, 21, query_dim, key_dim);
  const std::vector<Index> lengths{21, 0, 13}, queries{2, 2, 1};
  Tensor<bool, 4> holes(1, 1, 1, 21);
  holes.setConstant(true);
  holes(0, 0, 0, 4) = false;
  const Mask mask = heed::key_lengths(lengths) & heed::query_lengths(queries) & heed::boolean_mask(holes);
  Source<T> poisoned = clean;
  const auto poison = [](Tensor<T, 3>& x, Index b, Index row) {
    x.chip(b, 0).chip(row, 0).setConstant(not_a_number<T>);
  };
  for (Tensor<T, 3>* x : {&poisoned.keys, &poisoned.values}) {
    for (Index j = 0; j < 21; ++j) poison(*x, 1, j);
    for (Index j = 13; j < 21; ++j) poison(*x, 2, j);
    poison(*x, 0, 4);
  }
  poison(poisoned.state, 2, 1);
  const auto wanted = layer.forward(clean.state, layer.project(clean.keys), clean.values, mask);
  const auto found = layer.forward(poisoned.state, layer.project(poisoned.keys), poisoned.values, mask);
  CHECK(same_tensor(found.context, wanted.context));
  CHECK(same_tensor(found.weights, wanted.weights));
  CHECK(found.context(1, 0, 0) == 0);
  CHECK(found.weights(1, 0, 0) == 0);
  CHECK(found.weights(0, 0, 4) == 0);
  CHECK(same_gradients(gradients_of(layer, poisoned, mask), gradients_of(layer, clean, mask)));
}

/// Every kind of constraint, and some together, gives the bits of the boolean mask that spells it out: context,
/// weights and gradients. A pair that it hides has weight 0.
template <class Layer, class T>
void check_masks(const Layer& layer, Index query_dim, Index key_dim) {
  constexpr Index batch = 2, queries = 5, keys = 21;
  const Source<T> in(batch, queries, keys, query_dim, key_dim);
  const std::vector<Index> key_counts{21, 9}, query_counts{5, 3}, offsets{2, 11};
  Tensor<Index, 2> query_ids(batch, queries), key_ids(batch, keys);
  Tensor<bool, 3> holes(queries, 1, keys);
  for (Index b = 0; b < batch; ++b) {
    for (Index i = 0; i < queries; ++i) query_ids(b, i) = (i + b) / 2;
    for (Index j = 0; j < keys; ++j) key_ids(b, j) = (j / 6 + b) % 3;
  }
  for (Index i = 0; i < queries; ++i) {
    for (Index j = 0; j < keys; ++j) holes(i, 0, j) = (i * 7 + j * 5) % 3 != 0;
  }
  const View<const bool, 4> pairs(holes.data(), {1, 1, queries, keys});
  const auto n = [](const std::vector<Index>& counts, Index b) { return counts[static_cast<std::size_t>(b)]; };
  const auto compare = [&](const Mask& mask, auto visible) {
    Tensor<bool, 4> spelled(batch, 1, queries, keys);
    for (Index b = 0; b < batch; ++b) {
      for (Index i = 0; i < queries; ++i) {
        for (Index j = 0; j < keys; ++j) spelled(b, 0, i, j) = visible(b, i, j);
      }
    }
    const Mask wanted_mask = heed::boolean_mask(spelled);
    const auto memory = layer.project(in.keys);
    const auto found = layer.forward(in.state, memory, in.values, mask);
    const auto wanted = layer.forward(in.state, memory, in.values, wanted_mask);
    CHECK(same_tensor(found.context, wanted.context));
    CHECK(same_tensor(found.weights, wanted.weights));
    CHECK(same_gradients(gradients_of(layer, in, mask), gradients_of(layer, in, wanted_mask)));
    bool hidden_are_zero = true;
    for (Index k = 0; k < spelled.size(); ++k) {
      hidden_are_zero = hidden_are_zero && (spelled.data()[k] || found.weights.data()[k] == 0);
    }
    CHECK(hidden_are_zero);
  };
  using heed::Corner;
  compare(heed::causal(Corner::top_left), [](Index, Index i, Index j) { return j <= i; });
  compare(heed::causal(Corner::bottom_right), [](Index, Index i, Index j) { return j <= i + keys - queries; });
  compare(heed::causal_offset(offsets), [&](Index b, Index i, Index j) { return j <= i + n(offsets, b); });
  compare(heed::window(1, 2), [](Index, Index i, Index j) { return j >= i - 1 && j <= i + 2; });
  compare(heed::causal_offset(7) & heed::window(4, -1),
          [](Index, Index i, Index j) { return j <= i + 7 && j >= i + 7 - 4; });
  compare(heed::key_lengths(key_counts), [&](Index b, Index, Index j) { return j < n(key_counts, b); });
  compare(heed::key_lengths(key_counts) & heed::query_lengths(query_counts) & heed::causal(Corner::bottom_right),
          [&](Index b, Index i, Index j) {
            return i < n(query_counts, b) && j < n(key_counts, b) && j <= i + n(key_counts, b) - n(query_counts, b);
          });
  compare(heed::boolean_mask(pairs), [&](Index, Index i, Index j) { return holes(i, 0, j); });
  compare(heed::segment_ids(query_ids, key_ids),
          [&](Index b, Index i, Index j) { return query_ids(b, i) == key_ids(b, j); });
  compare(heed::segment_ids(query_ids, key_ids) & heed::boolean_mask(pairs) & heed::causal_offset(12),
          [&](Index b, Index i, Index j) { return query_ids(b, i) == key_ids(b, j) && holes(i, 0, j) && j <= i + 12; });
}

}  // namespace heed_test
