#pragma once
// The scores of attention as a matrix, at any of the stages that ONNX's Attention names (qk_matmul_output_mode): for looking
// at a model, exporting and testing. Costs memory (batch, heads, query_length, key_length), which attention itself never does.

#include <cmath>
#include <limits>
#include <utility>

#include <heed/attention/matmul.hpp>
#include <heed/attention/scaled_dot_product.hpp>

namespace heed::inline HEED_ABI {

/// Behind which step of SEMANTICS 2 scores are shown.
enum class ScoreStage {
  scaled,   // scale * query . key
  capped,   // then the soft cap, where there is one
  masked,   // then a score callable, bias and ALiBi; -inf where a pair is masked
  weights,  // then the softmax: what attend() returns as weights
};

namespace detail {

struct ScoreQueryScratch;
struct ScoreKeyScratch;

/// All rows of one head's scores before the softmax.
template <class T>
void head_scores(const FlashHead<T>& head, ScoreStage stage, MatrixView<T> scores) {
  const auto rows = [](const StridedMatrix<T>& x, T* copy) { return flash_detail::contiguous_rows(x, 0, x.rows, copy); };
  const auto query = rows(head.query, thread_scratch<ScoreQueryScratch, T>(head.query.rows * head.query.cols));
  const auto key = rows(head.key, thread_scratch<ScoreKeyScratch, T>(head.key.rows * head.key.cols));
  gemm_here<T>(Transpose::no, query, Transpose::yes, key, scores, Accumulate::no);
  const ScoreTerms<T>& terms = head.terms;
  for (Index i = 0; i < scores.rows; ++i) {
    for (Index j = 0; j < scores.cols; ++j) {
      T& score = scores(i, j);
      score *= head.scale;
      if (stage == ScoreStage::scaled) continue;
      if (terms.softcap > 0) score = terms.softcap * std::tanh(score / terms.softcap);
    }
    if (stage == ScoreStage::scaled || stage == ScoreStage::capped) continue;
    if (head.modifies()) {
      const ScorePart<T> all{.scores = scores.row(i), .step = 1, .query = i, .queries = 1, .key = 0, .keys = scores.cols};
      head.modifier->change_row(head.modifier->score, head.place, all);
    }
    for (Index j = 0; j < scores.cols; ++j) {
      T& score = scores(i, j);
      score = fnma(terms.alibi_slope, terms.distance(i, j), score + terms.bias_at(i, j));
      if (!head.visible(i, j)) score = -std::numeric_limits<T>::infinity();
    }
  }
}

}  // namespace detail

/// query (batch, heads, query_length, head_dim), key (batch, kv_heads, key_length, head_dim) and a call's options -> scores
/// (batch, heads, query_length, key_length) at a stage. Callables (modifier.hpp), and an executor before them, come last.
/// Throws heed::Error for shapes and options that do not fit.
template <TensorLike<4> Q, AttentionInput<scalar_t<Q>> K, AttentionCallable<scalar_t<Q>>... F>
Tensor<scalar_t<Q>, 4> attention_scores(const Q& query, const K& key, ScoreStage stage,
                                        const AttentionOptions<scalar_t<Q>>& options, ExecutorRef executor,
                                        const F&... callables) {
  using T = scalar_t<Q>;
  const View<const T, 4> keys(key);
  const detail::Callables<T, F...> own(callables...);
  const AttentionCall<T> call("attention_scores", query, keys, keys, options, own.modifier());
  if (stage == ScoreStage::weights) {
    AttentionOptions<T> all = options;
    all.return_weights = true;
    return std::move(attend(query, keys, keys, all, executor, callables...).weights);
  }
  Tensor<T, 4> scores(call.shape.weights());
  const View<T, 4> view(scores);
  const Index heads = call.shape.heads;
  for_each_task(executor, call.shape.batch * heads, [&](Index task, Index) {
    detail::head_scores(detail::flash_head(call, task / heads, task % heads), stage,
                        detail::head_rows(view, task / heads, task % heads));
  });
  return scores;
}
template <TensorLike<4> Q, AttentionInput<scalar_t<Q>> K, AttentionCallable<scalar_t<Q>>... F>
Tensor<scalar_t<Q>, 4> attention_scores(const Q& query, const K& key, ScoreStage stage,
                                        const AttentionOptions<scalar_t<Q>>& options = {}, const F&... callables) {
  return heed::attention_scores(query, key, stage, options, default_executor(), callables...);
}

}  // namespace heed::inline HEED_ABI
