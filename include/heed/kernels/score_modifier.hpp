#pragma once
// A user's own functions inside the fused kernels: one that changes scores, one that masks pairs. They are compiled into
// loops over a register's part of a tile and the kernels call those loops through pointers: a call per some hundred
// scores costs nothing, and the kernels are compiled once, not once per callable (docs/decisions/0011).
//   J. Dong et al., "Flex Attention: a programming model for generating optimized attention kernels", 2024.

#include <limits>

#include <heed/kernels/flash_band.hpp>
#include <heed/kernels/registers.hpp>
#include <heed/simd/dual.hpp>

namespace heed::inline HEED_ABI {

/// Which scores a callable is asked about. V is a batch of T or T: some queries against one key, or one query against
/// some keys, as the kernel needs it. query and key are indices within the sample, position is the query's place among
/// the keys (query + causal offset): whole numbers, exact up to 2^24 in float.
template <class V>
struct ScoreAt {
  V query;
  V key;
  V position;
  Index batch;
  Index head;
};

/// |position - key|, what ALiBi multiplies.
template <class V>
V distance(const ScoreAt<V>& at) {
  return heed::abs(at.position - at.key);
}

/// table[index], lane by lane. index is a whole number; one outside the table takes the nearest entry, since kernels also
/// ask for lanes behind the last query. table: contiguous and not empty, with data() and size(): a Tensor<T, 1>, a
/// std::vector, a std::span.
template <class Table, class V>
V lookup(const Table& table, const V& index) {
  const auto entry = [&](auto i) {
    const auto last = static_cast<Index>(table.size()) - 1;
    const bool inside = i > 0 && i < static_cast<decltype(i)>(last);
    return table.data()[inside ? static_cast<Index>(i) : i > 0 ? last : 0];
  };
  if constexpr (std::is_arithmetic_v<V>) {
    return static_cast<V>(entry(index));
  } else {
    using T = typename V::value_type;
    alignas(64) T lane[static_cast<std::size_t>(V::size)];
    heed::store(lane, index);
    for (T& x : lane) x = static_cast<T>(entry(x));
    return V::load_aligned(lane);
  }
}

/// What callables are told of a head.
struct HeadPlace {
  Index batch = 0, head = 0;
  Index first_query = 0;  // the index within its sample of the first query that a kernel is given
  Index offset = 0;       // from a query's index to its position among the keys
};

/// Some scores of one head against `keys` keys from `key` on, step apart. A column: a register of queries from `query`
/// on per key. A row (queries = step = 1): one query.
template <class T>
struct ScorePart {
  T* scores;
  Index step, query, queries, key, keys;
  T* slopes = nullptr;  // laid out as the scores; null: not wanted. Derivatives of the scores by the products so far
  T* inputs = nullptr;  // the same; what the callable was given is kept here
};

/// The callables of a call as kernels use them. A null function is absent.
template <class T>
struct ScoreModifier {
  const void* score = nullptr;
  const void* mask = nullptr;
  void (*change_column)(const void* score, const HeadPlace&, const ScorePart<T>&) = nullptr;
  void (*change_row)(const void* score, const HeadPlace&, const ScorePart<T>&) = nullptr;
  void (*mask_column)(const void* mask, const HeadPlace&, const ScorePart<T>&) = nullptr;
  void (*mask_row)(const void* mask, const HeadPlace&, const ScorePart<T>&) = nullptr;
  bool (*visible)(const void* mask, const HeadPlace&, Index query, Index key) = nullptr;
  Tile (*classify)(const void* mask, const HeadPlace&, Range queries, Range keys) = nullptr;
  /// Adds what a column's inputs and scores, here derivatives by the changed scores, give the score's parameters.
  void (*add_gradient)(const void* score, const HeadPlace&, const ScorePart<T>&, void* gradient) = nullptr;
};

namespace modifier_detail {

template <class T, class V>
ScoreAt<V> at(const HeadPlace& place, const V& query, const V& key) {
  const V index = query + V(static_cast<T>(place.first_query));
  return {index, key, index + V(static_cast<T>(place.offset)), place.batch, place.head};
}

/// Calls f(at, element) for every register of a column.
template <class T, class F>
[[gnu::always_inline]] inline void for_column(const HeadPlace& place, const ScorePart<T>& part, const F& f) {
  using B = Batch<T>;
  const B queries = B(static_cast<T>(part.query)) + iota<T>();
  for (Index j = 0; j < part.keys; ++j) f(at<T>(place, queries, B(static_cast<T>(part.key + j))), j * part.step);
}
/// Calls f(at, first element, FullRegister or TailRegister) for every register of a row.
template <class T, class F>
[[gnu::always_inline]] inline void for_row(const HeadPlace& place, const ScorePart<T>& part, const F& f) {
  using B = Batch<T>;
  map_registers<T>(part.keys, [&](Index j, auto piece) {
    f(at<T>(place, B(static_cast<T>(part.query)), B(static_cast<T>(part.key + j)) + iota<T>()), j, piece);
  });
}

/// score(s, at) as a batch, and its derivative by s multiplied into *slopes where they are wanted.
template <class T, class Score>
Batch<T> changed(const Score& score, const Batch<T>& s, const ScoreAt<Batch<T>>& at, T* slope) {
  using B = Batch<T>;
  if (!slope) return simd_detail::constant<B>(score(s, at));
  const Dual<B> both(score(Dual<B>(s, B(T(1))), at));
  heed::store(slope, heed::load<T>(slope) * both.derivative);
  return both.value;
}

template <class T, class Score>
void set_score(ScoreModifier<T>& modifier, const Score& function) {
  modifier.score = &function;
  modifier.change_column = [](const void* score, const HeadPlace& place, const ScorePart<T>& part) {
    for_column(place, part, [&](const auto& where, Index i) {
      const Batch<T> s = heed::load<T>(part.scores + i);
      if (part.inputs) heed::store(part.inputs + i, s);
      heed::store(part.scores + i, changed<T>(*static_cast<const Score*>(score), s, where,
                                              part.slopes ? part.slopes + i : nullptr));
    });
  };
  modifier.change_row = [](const void* score, const HeadPlace& place, const ScorePart<T>& part) {
    for_row(place, part, [&](const auto& where, Index j, auto piece) {
      const Batch<T> s = piece.load(part.scores + j);
      if (part.inputs) piece.store(part.inputs + j, s);
      alignas(64) T slope[static_cast<std::size_t>(lanes<T>)];
      if (part.slopes) heed::store(slope, piece.load(part.slopes + j));
      piece.store(part.scores + j,
                  changed<T>(*static_cast<const Score*>(score), s, where, part.slopes ? slope : nullptr));
      if (part.slopes) piece.store(part.slopes + j, heed::load<T>(slope));
    });
  };
  if constexpr (requires(Score grad, const ScoreAt<T>& where) { function.backward(T(0), where, T(0), grad); }) {
    modifier.add_gradient = [](const void* score, const HeadPlace& place, const ScorePart<T>& part, void* gradient) {
      for (Index i = 0; i < part.queries; ++i) {
        for (Index j = 0; j < part.keys; ++j) {
          const T d_score = part.scores[j * part.step + i];
          if (d_score == 0) continue;  // a masked pair, or one that adds nothing
          const auto where = at<T>(place, static_cast<T>(part.query + i), static_cast<T>(part.key + j));
          static_cast<const Score*>(score)->backward(part.inputs[j * part.step + i], where, d_score,
                                                     *static_cast<Score*>(gradient));
        }
      }
    };
  }
}

/// s where a mask says so, which may be one answer for all lanes.
template <class T, class Visible>
Batch<T> visible_or_lowest(const Visible& visible, const Batch<T>& s) {
  const Batch<T> lowest(-std::numeric_limits<T>::infinity());
  if constexpr (std::same_as<Visible, bool>)  // a mask register of AVX-512 converts to one too
    return visible ? s : lowest;
  else
    return heed::select(visible, s, lowest);
}

template <class T, class Mask>
void set_mask(ScoreModifier<T>& modifier, const Mask& function) {
  modifier.mask = &function;
  modifier.mask_column = [](const void* mask, const HeadPlace& place, const ScorePart<T>& part) {
    for_column(place, part, [&](const auto& where, Index i) {
      const auto visible = (*static_cast<const Mask*>(mask))(where);
      heed::store(part.scores + i, visible_or_lowest<T>(visible, heed::load<T>(part.scores + i)));
    });
  };
  modifier.mask_row = [](const void* mask, const HeadPlace& place, const ScorePart<T>& part) {
    for_row(place, part, [&](const auto& where, Index j, auto piece) {
      const auto visible = (*static_cast<const Mask*>(mask))(where);
      piece.store(part.scores + j, visible_or_lowest<T>(visible, piece.load(part.scores + j)));
    });
  };
  modifier.visible = [](const void* mask, const HeadPlace& place, Index query, Index key) -> bool {
    return (*static_cast<const Mask*>(mask))(at<T>(place, static_cast<T>(query), static_cast<T>(key)));
  };
  modifier.classify = [](const void* mask, const HeadPlace& place, Range queries, Range keys) {
    const Mask& f = *static_cast<const Mask*>(mask);
    const Range within{queries.first + place.first_query, queries.end + place.first_query};
    if constexpr (requires { f.classify(within, keys, place.batch, place.head); })
      return f.classify(within, keys, place.batch, place.head);
    else if constexpr (requires { f.classify(within, keys); })
      return f.classify(within, keys);
    else
      return Tile::mixed;
  };
}

}  // namespace modifier_detail

}  // namespace heed::inline HEED_ABI
