#pragma once
// One head of a checked call as the fused kernels take it: pointers and strides, nothing copied.

#include <heed/attention/attention_call.hpp>
#include <heed/core/workspace.hpp>
#include <heed/kernels/flash_decode.hpp>
#include <heed/kernels/flash_forward.hpp>

namespace heed::inline HEED_ABI {

namespace detail {

template <class T>
StridedMatrix<T> head_matrix(const View<const T, 4>& x, Index batch, Index head) {
  return {x.data + batch * x.stride(0) + head * x.stride(1), x.dimension(2), x.dimension(3), x.stride(2), x.stride(3)};
}
/// The same of an output, whose rows are contiguous.
template <class T>
MatrixView<T> head_rows(const View<T, 4>& x, Index batch, Index head) {
  return {x.data + batch * x.stride(0) + head * x.stride(1), x.dimension(2), x.dimension(3), x.stride(2)};
}
template <class T>
T* head_row(const View<T, 3>& x, Index batch, Index head) {
  return x.data + batch * x.stride(0) + head * x.stride(1);
}

template <class T>
ScoreTerms<T> head_terms(const AttentionCall<T>& call, Index batch, Index head) {
  ScoreTerms<T> terms;
  terms.softcap = call.softcap;
  if (call.alibi_slopes.data) {
    terms.alibi_slope = call.alibi_slopes(head);
    terms.alibi_offset = call.mask.position_offset(batch);
  }
  if (const auto& segments = call.mask.segments()) {
    terms.query_segments = segments->queries.data + batch * segments->queries.stride(0);
    terms.key_segments = segments->keys.data + batch * segments->keys.stride(0);
    terms.query_segment_step = segments->queries.stride(1), terms.key_segment_step = segments->keys.stride(1);
  }
  if (call.bias) {
    terms.bias = call.bias.row(batch, head, 0);
    terms.bias_query_step = call.bias.step(2), terms.bias_key_step = call.bias.step(3);
  }
  if (call.mask.has_boolean()) {
    terms.allowed = call.mask.boolean_row(batch, head, 0);
    terms.allowed_query_step = call.mask.boolean_query_step(), terms.allowed_key_step = call.mask.boolean_step();
  }
  return terms;
}

template <class T>
ScoreDropout<T> head_dropout(const AttentionCall<T>& call, Index batch, Index head) {
  if (call.dropout == 0) return {};
  return {.bits = call.bits,
          .batch = call.first_sample + batch,
          .head = head,
          .threshold = probability_threshold(call.dropout),
          .kept = call.dropout < 1 ? static_cast<T>(1 / (1 - call.dropout)) : T(0)};
}

template <class T>
FlashHead<T> flash_head(const AttentionCall<T>& call, Index batch, Index head) {
  return {.query = head_matrix(call.query, batch, head),
          .key = head_matrix(call.key, batch, call.kv_head(head)),
          .value = head_matrix(call.value, batch, call.kv_head(head)),
          .scale = call.scale,
          .band = call.mask.band(batch),
          .terms = head_terms(call, batch, head),
          .dropout = head_dropout(call, batch, head),
          .sink = call.sink.data ? &call.sink(head) : nullptr,
          .modifier = call.modifier,
          .place = {.batch = call.first_sample + batch, .head = head, .offset = call.mask.position_offset(batch)}};
}

/// The bytes of what `make` takes.
template <class Make>
std::size_t scratch_size(const Make& make) {
  std::size_t bytes = 0;
  make([&]<class P>(P*& piece, Index count) {
    piece = nullptr;
    bytes += Workspace::rounded<P>(count);
  });
  return bytes;
}
/// Hands out pieces of `memory`.
class ScratchPieces {
 public:
  explicit ScratchPieces(std::byte* memory) : next_(memory) {}
  template <class P>
  void operator()(P*& piece, Index count) {
    piece = reinterpret_cast<P*>(next_);
    next_ += Workspace::rounded<P>(count);
  }

 private:
  std::byte* next_;
};

}  // namespace detail

}  // namespace heed::inline HEED_ABI
