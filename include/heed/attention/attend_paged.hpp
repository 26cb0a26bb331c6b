#pragma once
// Attention of a few queries against a paged cache, in place: what a decoding server asks for. Every query takes the one-query
// path, so the result has the bits of attend() on the same keys laid out in one piece, one query at a time.

#include <span>
#include <vector>

#include <heed/attention/paged_cache.hpp>
#include <heed/attention/scaled_dot_product.hpp>

namespace heed::inline HEED_ABI {

namespace detail {

struct PagedScratch;
struct PagedParts;

/// Where the pages of every (sequence, kv head) of a call lie, as the kernels take them.
template <class T>
class PagePointers {
 public:
  PagePointers(const PagedKeyValueCache<T>& cache, std::span<const Index> sequences) : cache_(cache) {
    for (const Index sequence : sequences) {
      begin_.push_back(keys_.size());
      for (Index head = 0; head < cache.config().kv_heads; ++head) {
        for (const Index page : cache.pages(sequence)) {
          keys_.push_back(cache.key_rows(page, head));
          values_.push_back(cache.value_rows(page, head));
        }
      }
      pages_.push_back(static_cast<Index>(cache.pages(sequence).size()));
      lengths_.push_back(cache.length(sequence));
    }
  }
  const std::vector<Index>& lengths() const { return lengths_; }
  Index longest() const { return lengths_.empty() ? 0 : *std::max_element(lengths_.begin(), lengths_.end()); }

  StridedMatrix<T> keys(Index sample, Index head) const { return matrix(keys_, sample, head, cache_.config().head_dim); }
  StridedMatrix<T> values(Index sample, Index head) const { return matrix(values_, sample, head, cache_.config().value_dim); }

 private:
  StridedMatrix<T> matrix(const std::vector<const T*>& pages, Index sample, Index head, Index width) const {
    const auto i = static_cast<std::size_t>(sample);
    return {.rows = lengths_[i],
            .cols = width,
            .row_step = width,
            .pages = pages.data() + begin_[i] + static_cast<std::size_t>(head * pages_[i]),
            .page_rows = cache_.config().page_size};
  }

  const PagedKeyValueCache<T>& cache_;
  std::vector<const T*> keys_, values_;
  std::vector<std::size_t> begin_;
  std::vector<Index> pages_, lengths_;
};

/// Query i of a head as a call of its own.
template <class T>
FlashHead<T> one_query(FlashHead<T> head, Index i) {
  head.query.data = head.query.at(i, 0);
  head.query.rows = 1;
  head.band.query_end -= i;
  head.band.behind -= i;
  head.band.ahead += i;
  if (head.terms.bias) head.terms.bias += i * head.terms.bias_query_step;
  if (head.terms.allowed) head.terms.allowed += i * head.terms.allowed_query_step;
  if (head.terms.query_segments) head.terms.query_segments += i * head.terms.query_segment_step;
  head.terms.alibi_offset += i;
  head.place.first_query += i;
  return head;
}

/// Row i of a head's outputs.
template <class T>
FlashOutputs<T> one_row(FlashOutputs<T> out, Index i) {
  out.output = out.output.row_block(i, 1);
  for (T** const number : {&out.logsumexp, &out.row_max, &out.entropy}) *number += *number ? i : 0;
  if (out.weights.data) out.weights = out.weights.row_block(i, 1);
  return out;
}

/// One task per query of the heads that share a key/value head, or several where those are few.
template <class T>
void attend_pages(const AttentionCall<T>& call, const PagePointers<T>& pages, const AttentionOutputs<T>& outputs,
                  ExecutorRef executor) {
  const AttentionShape& shape = call.shape;
  DecodePlan plan(shape, executor.concurrency());
  if (needs_weights(outputs)) plan.keep_whole();
  const Index scratch = static_cast<Index>(scratch_size(
      [&](auto&& take) { FlashDecodeScratch<T>::make(shape.head_dim, shape.value_dim, take); }));
  const auto own = [&](Index) { return ScratchPieces(thread_scratch<PagedScratch, std::byte>(scratch)); };
  run_decode<T>(plan, executor, thread_scratch<PagedParts, T>(plan.parts()), own, [&](Index task) {
    const DecodeTask part(shape, task / shape.query_length);
    const Index query = task % shape.query_length;
    FlashDecode<T> decode;
    for (Index head = part.heads.first; head < part.heads.end; ++head) {
      FlashHead<T> one = flash_head(call, part.batch, head);
      one.key = pages.keys(part.batch, part.kv_head);
      one.value = pages.values(part.batch, part.kv_head);
      decode.add(one_query(one, query), one_row(head_outputs(outputs, part.batch, head), query));
    }
    return decode;
  });
}

}  // namespace detail

/// query (batch, heads, query_length, head_dim) against sequences[b] of the cache -> output (batch, heads, query_length,
/// value_dim) and what the options ask for. Key lengths are the sequences'; the other constraints are the options': with
/// causal(Corner::bottom_right) the queries are each sequence's newest steps. Dropout is refused. Cost: heads * length *
/// (head_dim + value_dim) multiply-adds per query, one pass over the pages. Callables (modifier.hpp), and an executor before
/// them, come last. Throws heed::Error before any work.
template <TensorLike<4> Q, AttentionCallable<scalar_t<Q>>... F>
AttentionResult<scalar_t<Q>> attend_paged(const Q& query, const PagedKeyValueCache<scalar_t<Q>>& cache,
                                          std::span<const Index> sequences, AttentionOptions<scalar_t<Q>> options,
                                          ExecutorRef executor, const F&... callables) {
  using T = scalar_t<Q>;
  const char* const function = "attend_paged";
  const View<const T, 4> queries(query);
  check_extent(function, "sequences", "size", static_cast<Index>(sequences.size()), queries.dimension(0));
  check(options.dropout.probability == 0, [&] {
    return std::string(function) + ": dropout.probability is " + std::to_string(options.dropout.probability) + ", wanted 0";
  });
  check(!options.return_key_sums, [] {
    return std::string("attend_paged: return_key_sums is set, wanted unset: queries are computed one by one");
  });
  const detail::PagePointers<T> pages(cache, sequences);
  options.mask = options.mask & key_lengths(pages.lengths());
  const auto& config = cache.config();
  const Extents<4> all{queries.dimension(0), config.kv_heads, pages.longest(), 0};
  const auto stand_in = [&](const T* data, Index width) {  // of the right extents; the pages are read instead
    return View<const T, 4>(data, {all[0], all[1], all[2], width}, {0, 0, 0, 1});
  };
  const detail::Callables<T, F...> own(callables...);
  const AttentionCall<T> call(function, queries, stand_in(cache.key_rows(0, 0), config.head_dim),
                              stand_in(cache.value_rows(0, 0), config.value_dim), options, own.modifier());
  AttentionResult<T> result;
  const AttentionOutputs<T> outputs = detail::make_outputs(result, call.shape, options);
  detail::attend_pages(call, pages, outputs, executor);
  return result;
}
template <TensorLike<4> Q, AttentionCallable<scalar_t<Q>>... F>
AttentionResult<scalar_t<Q>> attend_paged(const Q& query, const PagedKeyValueCache<scalar_t<Q>>& cache,
                                          std::span<const Index> sequences,
                                          const AttentionOptions<scalar_t<Q>>& options = {}, const F&... callables) {
  return heed::attend_paged(query, cache, sequences, options, default_executor(), callables...);
}

}  // namespace heed::inline HEED_ABI
