#pragma once
// One head of attention for the flash tests: numbers, the fused forward over any blocks, and the textbook in double.

#include <heed/core/workspace.hpp>
#include <heed/kernels/flash_forward.hpp>
#include <heed/kernels/reference_attention.hpp>

#include "kernels/kernel_testing.hpp"
#include "support/tolerance.hpp"

namespace heed_test {

using heed::Range;

template <class T>
struct FlashProblem {
  Index queries, keys, head_dim, value_dim;
  std::vector<T> query = random_numbers<T>(queries * head_dim, 1, 2);
  std::vector<T> key = random_numbers<T>(keys * head_dim, 2, 2);
  std::vector<T> value = random_numbers<T>(keys * value_dim, 3);
  heed::FlashHead<T> head{};
  std::vector<T> output = filled<T>(queries * value_dim, T(42)), logsumexp = filled<T>(queries, T(42)), weights{};

  FlashProblem(Index query_length, Index key_length, Index width, Index out_width)
      : queries(query_length), keys(key_length), head_dim(width), value_dim(out_width) {
    head.query = {query.data(), queries, head_dim, head_dim, 1};
    head.key = {key.data(), keys, head_dim, head_dim, 1};
    head.value = {value.data(), keys, value_dim, value_dim, 1};
    head.scale = static_cast<T>(0.4);
    head.band = {queries, keys, heed::ScoreBand::unbounded, heed::ScoreBand::unbounded};
  }
  FlashProblem(const FlashProblem&) = delete;

  /// Blocks may be of any size.
  void run(const std::vector<Range>& blocks) {
    heed::Workspace workspace(std::size_t{1} << 20);
    const auto scratch = heed::FlashForwardScratch<T>::make(
        head_dim, value_dim, [&]<class P>(P*& piece, Index count) { piece = workspace.take<P>(count); });
    heed::FlashOutputs<T> out{.output = matrix(output, queries, value_dim), .logsumexp = logsumexp.data()};
    if (!weights.empty()) out.weights = matrix(weights, queries, keys);
    for (const Range& block : blocks) heed::flash_forward(head, out, scratch, block);
  }
  void run() {
    run({{0, queries}});
  }

  /// Whether outputs and logsumexp (and weights, where asked for) are the textbook's.
  bool matches_textbook() {
    const auto q = in_double(query), k = in_double(key), v = in_double(value);
    std::vector<double> out(output.size()), lse(logsumexp.size()), p(static_cast<std::size_t>(queries * keys));
    heed::reference::dot_product_attention(
        matrix(q, queries, head_dim), matrix(k, keys, head_dim), matrix(v, keys, value_dim), double(head.scale),
        [&](Index i, Index j) { return head.visible(i, j); }, matrix(out, queries, value_dim), matrix(p, queries, keys),
        lse.data());
    return all_close(output, out) && all_close(logsumexp, lse) && (weights.empty() || all_close(weights, p));
  }
};

}  // namespace heed_test
