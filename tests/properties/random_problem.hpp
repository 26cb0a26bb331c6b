#pragma once
// Attention problems with any combination of options, reproducible from a seed.

#include "properties/attention_problem.hpp"

namespace heed_test {

/// How long: a handful, for central differences, several tiles and their tails, or one query against many keys.
enum class Size { small, tiles, decode };

class ProblemDice {
 public:
  explicit ProblemDice(std::uint64_t seed) : rng_{seed, 1} {}

  /// Each of [low, high] alike.
  Index pick(Index low, Index high) { return low + rng_.below(high - low + 1); }
  bool one_in(Index count) { return rng_.below(count) == 0; }
  std::uint64_t seed() { return rng_.bits() >> 16; }

  heed::AttentionShape shape(Size size) {
    heed::AttentionShape s{.batch = pick(1, 3), .kv_heads = pick(1, 2)};
    s.heads = s.kv_heads * pick(1, 3);
    constexpr Index lengths[] = {2, 40, 63, 64, 65, 129, 200, 300};
    s.query_length = size == Size::decode ? 1 : size == Size::small ? pick(1, 6) : lengths[pick(0, 6)];
    s.key_length = size == Size::decode ? lengths[pick(0, 7)] : size == Size::small ? pick(1, 9) : lengths[pick(0, 6)];
    if (size != Size::decode && one_in(3)) s.key_length = s.query_length;
    s.head_dim = pick(1, size == Size::small ? 4 : 20);
    s.value_dim = pick(1, size == Size::small ? 4 : 20);
    return s;
  }

  template <class T>
  void choose_corner(AttentionProblem<T>& p) {
    const Index reach = std::max<Index>(3, p.key_length() / 2);
    switch (pick(0, 6)) {
      case 0:
        p.corner = heed::causal(heed::Corner::top_left);
        break;
      case 1:
        p.corner = heed::causal(heed::Corner::bottom_right);
        break;
      case 2:
        p.corner = heed::causal_offset(pick(-2, reach));
        break;
      case 3:
        for (Index b = 0; b < p.batch(); ++b) p.offsets.push_back(pick(-2, reach));
        break;
      case 4:
        if (p.query_length() == p.key_length()) p.corner = heed::causal();
        break;
      default:
        break;
    }
    if (one_in(3)) p.corner = p.corner & heed::window(pick(-1, reach), pick(-1, reach));
  }
  template <class T>
  void choose_lengths(AttentionProblem<T>& p) {
    const bool keys = one_in(3), queries = one_in(3);
    for (Index b = 0; b < p.batch(); ++b) {
      if (keys) p.key_lengths.push_back(pick(0, p.key_length()));
      if (queries) p.query_lengths.push_back(pick(0, p.query_length()));
    }
  }
  template <class T>
  void choose_pairs(AttentionProblem<T>& p) {
    if (one_in(3)) {
      p.allowed = Tensor<std::uint8_t, 4>(some_axes(p, p.allowed_rank));
      for (std::uint8_t& byte : heed::flat(p.allowed)) byte = one_in(4) ? 0 : static_cast<std::uint8_t>(pick(1, 255));
    }
    if (one_in(4)) {
      const Index per_segment = pick(1, p.key_length());
      p.query_ids = Tensor<Index, 2>(p.batch(), p.query_length());
      p.key_ids = Tensor<Index, 2>(p.batch(), p.key_length());
      const bool sorted = one_in(2);
      for (Tensor<Index, 2>* const ids : {&p.query_ids, &p.key_ids})
        for (Index b = 0; b < p.batch(); ++b)
          for (Index t = 0; t < ids->dimension(1); ++t) (*ids)(b, t) = sorted ? t / per_segment : pick(0, 2);
    }
  }
  template <class T>
  void choose_terms(AttentionProblem<T>& p) {
    switch (pick(0, 4)) {
      case 0:
        p.scale = T(0);
        break;
      case 1:
        p.scale = T(-0.6);
        break;
      case 2:
        p.scale = T(5);
        break;
      default:
        break;
    }
    if (one_in(3)) p.softcap = static_cast<T>(pick(1, 3)) * T(0.7);
    if (one_in(3)) p.slopes = random_tensor<T, 1>({p.heads()}, seed(), 0.5);
    if (one_in(3)) p.sink = random_tensor<T, 1>({p.heads()}, seed(), 3);
    if (one_in(2)) {
      p.bias = random_tensor<T, 4>(some_axes(p, p.bias_rank), seed(), 2);
      const bool masks = one_in(2);
      for (T& x : heed::flat(p.bias))
        if (masks && one_in(6)) x = -infinite<T>;
    }
    if (one_in(3)) p.dropout = {.probability = one_in(8) ? 1 : 0.3, .rng = heed::Rng{seed(), 5}};
  }

 private:
  /// The extents of something over the scores: some axes repeat, and leading ones may be missing.
  template <class T>
  Extents<4> some_axes(const AttentionProblem<T>& p, int& rank) {
    rank = static_cast<int>(pick(2, 4));
    Extents<4> e{p.batch(), p.heads(), p.query_length(), p.key_length()};
    for (int axis = 0; axis < 4; ++axis)
      if (axis < 4 - rank || one_in(3)) e[static_cast<std::size_t>(axis)] = 1;
    return e;
  }

  heed::Rng rng_;
};

template <class T>
AttentionProblem<T> random_problem(std::uint64_t seed, Size size) {
  ProblemDice dice(seed);
  auto p = plain_problem<T>(dice.shape(size), seed);
  dice.choose_corner(p);
  dice.choose_lengths(p);
  dice.choose_pairs(p);
  dice.choose_terms(p);
  return p;
}

/// What a failing check prints.
template <class T>
std::string description(const AttentionProblem<T>& p) {
  std::string text = "query " + heed::shape_text(heed::extents(p.query)) + " key " +
                     heed::shape_text(heed::extents(p.key)) + " value_dim " + std::to_string(p.value.dimension(3));
  const auto add = [&](bool present, const std::string& name) { text += present ? ", " + name : ""; };
  add(p.corner.causality != heed::Causality::none,
      "corner " + std::to_string(static_cast<int>(p.corner.causality)) + " offset " + std::to_string(p.corner.offset));
  if (p.corner.window)
    add(true, "window " + std::to_string(p.corner.window->left) + " " + std::to_string(p.corner.window->right));
  add(!p.offsets.empty(), "offsets");
  add(!p.key_lengths.empty(), "key lengths");
  add(!p.query_lengths.empty(), "query lengths");
  add(p.key_ids.size() > 0, "segments");
  add(p.allowed.size() > 0, "boolean " + heed::shape_text(heed::extents(p.allowed)));
  add(p.bias.size() > 0, "bias " + heed::shape_text(heed::extents(p.bias)));
  add(p.slopes.size() > 0, "alibi");
  add(p.sink.size() > 0, "sink");
  add(p.scale.has_value(), "scale " + std::to_string(p.scale.value_or(1)));
  add(p.softcap > 0, "softcap");
  add(p.dropout.probability > 0, "dropout " + std::to_string(p.dropout.probability));
  return text;
}

}  // namespace heed_test
