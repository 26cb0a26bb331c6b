#pragma once
// Joining what was attended to in parts: outputs over disjoint sets of keys and their logsumexp are all that attention over
// the union needs. For a prefix that many requests share, or keys that lie in several places.
//   Milakov, Gimelshein, 2018 (arXiv 1805.02867), algorithm 3, on whole results.

#include <cmath>
#include <limits>

#include <heed/attention/options.hpp>
#include <heed/core/default_executor.hpp>

namespace heed::inline HEED_ABI {

/// into (output and logsumexp, as attend() gives them) becomes the result over its own keys and those of other, the same
/// queries. A query that saw no key in one part takes the other part's bits; one that saw none in both stays zero with -inf.
/// The parts' order matters in the last bits only: join them in a fixed one. What else the parts hold is dropped; neither may
/// have a sink, which both would count. Throws heed::Error for parts of other shapes or without a logsumexp.
template <Real T>
void merge_attention(AttentionResult<T>& into, const AttentionResult<T>& other, ExecutorRef executor = default_executor()) {
  const Extents<4> shape = extents(into.output);
  check_shape("merge_attention", "other.output", extents(other.output), extents(into.output));
  check_shape("merge_attention", "into.logsumexp", extents(into.logsumexp), Extents<3>{shape[0], shape[1], shape[2]});
  check_shape("merge_attention", "other.logsumexp", extents(other.logsumexp), extents(into.logsumexp));
  AttentionResult<T> kept;
  kept.output = std::move(into.output), kept.logsumexp = std::move(into.logsumexp);
  into = std::move(kept);
  const Index length = shape[2], width = shape[3];
  for_each_task(executor, shape[0] * shape[1], [&](Index head, Index) {
    for (Index row = head * length; row < (head + 1) * length; ++row) {
      T& a = into.logsumexp.data()[row];
      const T b = other.logsumexp.data()[row];
      const T* const from = other.output.data() + row * width;
      T* const to = into.output.data() + row * width;
      constexpr T nothing = -std::numeric_limits<T>::infinity();
      if (b == nothing) continue;
      if (a == nothing) {
        std::copy_n(from, width, to);
        a = b;
        continue;
      }
      const T largest = std::max(a, b), weight_a = std::exp(a - largest), weight_b = std::exp(b - largest);
      const T sum = weight_a + weight_b, share_a = weight_a / sum, share_b = weight_b / sum;
      for (Index e = 0; e < width; ++e) to[e] = fma(share_a, to[e], share_b * from[e]);
      a = largest + std::log(sum);
    }
  });
}

}  // namespace heed::inline HEED_ABI
