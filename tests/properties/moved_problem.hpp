#pragma once
// An attention problem moved: other memory, other batches, more padding, poison where nothing may look.

#include <algorithm>
#include <array>
#include <limits>

#include "properties/attention_problem.hpp"

namespace heed_test {

/// A copy of a tensor in memory of its own: axes from the slowest to the fastest, some of them backwards, and
/// everything between its elements filled.
template <class T>
class Scattered {
 public:
  struct Layout {
    std::array<int, 4> order{0, 1, 2, 3};
    std::array<int, 4> direction{1, 1, 1, 1};
    Index step = 1, gap = 0;  // from one element to the next, and what lies between rows
  };

  Scattered(const Tensor<T, 4>& x, const Layout& layout, T fill) : extents_(heed::extents(x)) {
    Index step = layout.step, first = margin;
    for (std::size_t n = 4; n-- > 0;) {
      const auto axis = static_cast<std::size_t>(layout.order[n]);
      strides_[axis] = step * layout.direction[axis];
      if (layout.direction[axis] < 0) first += step * std::max<Index>(0, extents_[axis] - 1);
      step = step * extents_[axis] + (n == 3 ? layout.gap : 0);
    }
    memory_.assign(static_cast<std::size_t>(step + 2 * margin), fill);
    first_ = first;
    const heed::View<T, 4> to(memory_.data() + first, extents_, strides_);
    for (Index b = 0; b < extents_[0]; ++b)
      for (Index h = 0; h < extents_[1]; ++h)
        for (Index t = 0; t < extents_[2]; ++t)
          for (Index d = 0; d < extents_[3]; ++d) to(b, h, t, d) = x(b, h, t, d);
  }
  heed::View<const T, 4> view() const { return {memory_.data() + first_, extents_, strides_}; }

 private:
  static constexpr Index margin = 40;
  Extents<4> extents_, strides_{};
  std::vector<T> memory_;
  Index first_ = 0;
};

/// Samples of x, in this order; what repeats along the batch stays, so there must be several samples.
template <class T, int Rank>
Tensor<T, Rank> take(const Tensor<T, Rank>& x, const std::vector<Index>& samples, Index batch) {
  if (x.size() == 0 || x.dimension(0) != batch) return x;
  Extents<Rank> shape = heed::extents(x);
  shape[0] = static_cast<Index>(samples.size());
  Tensor<T, Rank> taken(shape);
  for (std::size_t s = 0; s < samples.size(); ++s) taken.chip(static_cast<Index>(s), 0) = x.chip(samples[s], 0);
  return taken;
}
inline std::vector<Index> take(const std::vector<Index>& x, const std::vector<Index>& samples) {
  std::vector<Index> taken;
  for (const Index sample : samples)
    if (!x.empty()) taken.push_back(x[static_cast<std::size_t>(sample)]);
  return taken;
}
template <class T>
AttentionProblem<T> take(const AttentionProblem<T>& p, const std::vector<Index>& samples) {
  AttentionProblem<T> taken = p;
  const auto of = [&](auto& x) { x = take(x, samples, p.batch()); };
  of(taken.query), of(taken.key), of(taken.value), of(taken.d_output), of(taken.query_ids), of(taken.key_ids);
  of(taken.allowed), of(taken.bias);
  for (std::vector<Index>* const x : {&taken.key_lengths, &taken.query_lengths, &taken.offsets}) *x = take(*x, samples);
  return taken;
}
/// What belongs to these samples of a result.
template <class T>
Everything<T> take(const Everything<T>& all, const std::vector<Index>& samples) {
  Everything<T> taken;
  const Index batch = all.forward.output.dimension(0);
  for_each_per_sample([&](const char*, const auto& from, auto& to) { to = take(from, samples, batch); }, all, taken);
  return taken;
}

/// x grown to `shape`, what is new filled; axes that repeat (extent 1 where the whole has more) stay.
template <class T, int Rank>
Tensor<T, Rank> grown(const Tensor<T, Rank>& x, const Extents<Rank>& from, const Extents<Rank>& to, T fill) {
  if (x.size() == 0) return x;
  Extents<Rank> shape = heed::extents(x);
  for (std::size_t axis = 0; axis < shape.size(); ++axis)
    if (shape[axis] == from[axis]) shape[axis] = to[axis];
  Tensor<T, Rank> y(shape);
  y.setConstant(fill);
  y.slice(Extents<Rank>{}, heed::extents(x)) = x;
  return y;
}
/// The same problem in longer memory, whose lengths say where it ends; what lies behind them is `fill`.
template <class T>
AttentionProblem<T> padded(const AttentionProblem<T>& p, Index query_length, Index key_length, T fill) {
  AttentionProblem<T> longer = p;
  const Index queries = p.query_length(), keys = p.key_length();
  const auto rows = [&](Tensor<T, 4>& x, Index length) {
    Extents<4> shape = heed::extents(x);
    shape[2] = length;
    x = grown(x, heed::extents(x), shape, fill);
  };
  rows(longer.query, query_length), rows(longer.d_output, query_length);
  rows(longer.key, key_length), rows(longer.value, key_length);
  const Extents<4> from{p.batch(), p.heads(), queries, keys}, to{p.batch(), p.heads(), query_length, key_length};
  longer.bias = grown(p.bias, from, to, fill);
  longer.allowed = grown(p.allowed, from, to, std::uint8_t{1});
  longer.query_ids = grown<Index, 2>(p.query_ids, {p.batch(), queries}, {p.batch(), query_length}, 0);
  longer.key_ids = grown<Index, 2>(p.key_ids, {p.batch(), keys}, {p.batch(), key_length}, 0);
  const auto samples = static_cast<std::size_t>(p.batch());
  if (p.query_lengths.empty()) longer.query_lengths.assign(samples, queries);
  if (p.key_lengths.empty()) longer.key_lengths.assign(samples, keys);
  if (p.corner.causality == heed::Causality::square) longer.corner.causality = heed::Causality::top_left;
  return longer;
}

/// The leading part of a result that has the shapes of `like`.
template <class T>
Everything<T> leading(const Everything<T>& all, const Everything<T>& like) {
  Everything<T> part = like;
  for_each_per_sample([](const char*, const auto& from, auto& to) { to = corner(from, heed::extents(to)); }, all, part);
  return part;
}

}  // namespace heed_test
