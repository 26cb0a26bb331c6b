#pragma once
// Multi-head self-attention one step after the other in the caller's memory: for audio callbacks and servers, without heap and
// locks once the cache has its capacity (a product's per-thread scratch is made by the first call).

#include <string>

#include <heed/attention/key_value_cache.hpp>
#include <heed/nn/multi_head_attention.hpp>

namespace heed::inline HEED_ABI {

namespace detail {

/// Elements that a step keeps in a workspace besides what attention needs.
template <class T>
std::size_t step_rows_bytes(const MultiHeadAttention<T>& layer, Index rows) {
  std::size_t bytes = Workspace::rounded<T>(rows * layer.out_proj.in_features());
  for (const HeadInput which : {HeadInput::query, HeadInput::key, HeadInput::value})
    bytes += Workspace::rounded<T>(rows * layer.in_proj.out(which));
  return bytes;
}

}  // namespace detail

/// The size of a Workspace that step_into needs for `steps` new steps of `batch` samples against up to key_length keys.
template <class T>
std::size_t step_workspace_bytes(const MultiHeadAttention<T>& layer, const Extents<2>& batch_and_steps, Index key_length,
                                 Index concurrency) {
  const auto [batch, steps] = batch_and_steps;
  const MultiHeadConfig& config = layer.config;
  const AttentionShape shape{batch,      config.heads,    config.kv_heads, steps,
                             key_length, config.head_dim, config.value_dim};
  return detail::step_rows_bytes(layer, batch * steps) + workspace_bytes<T>(shape, {}, concurrency);
}

/// x (batch, steps, model_dim), the newest steps, contiguous -> out (batch, steps, output_dim), contiguous; their keys and
/// values enter `past`. With more than one step, callables or ALiBi options.mask is causal(Corner::bottom_right): it says
/// where the steps stand. options.rng and the weights are not read. packed: layer.pack(), or null. The same bits as the
/// layer's project_memory and read. Throws heed::Error before anything is written; refuses a layer with extra keys.
template <class T>
void step_into(const MultiHeadAttention<T>& layer, const View<T, 3>& out, const std::type_identity_t<View<const T, 3>>& x,
               KeyValueCache<T>& past, const MultiHeadOptions<T>& options, Workspace& workspace, ExecutorRef executor,
               const typename MultiHeadAttention<T>::Packed* packed = nullptr) {
  const char* const function = "MultiHeadAttention::step_into";
  const MultiHeadConfig& config = layer.config;
  const Index batch = x.dimension(0), steps = x.dimension(1), keys = past.length() + steps;
  check(config.extra_keys.count() == 0,
        [&] { return std::string(function) + ": the layer has extra keys, wanted none: they would stand between steps"; });
  check_shape(function, "x", x.extents, Extents<3>{batch, steps, config.model_dim});
  check_shape(function, "out", out.extents, Extents<3>{batch, steps, config.output_dim});
  check(x.contiguous() && out.contiguous(),
        [&] { return std::string(function) + ": x or out has gaps, wanted contiguous memory"; });
  const std::size_t wanted = step_workspace_bytes(layer, {batch, steps}, keys, executor.concurrency());
  check(workspace.size() - workspace.used() >= wanted, [&] {
    return std::string(function) + ": workspace has " + std::to_string(workspace.size() - workspace.used()) +
           " free bytes, wanted " + std::to_string(wanted) + " (step_workspace_bytes)";
  });
  const std::size_t mark = workspace.used();
  const auto take = [&](Index width) {
    return View<T, 3>(workspace.take<T>(batch * steps * width), {batch, steps, width}, {steps * width, width, 1});
  };
  const auto project = [&](HeadInput which, Index heads) {
    const View<T, 3> y = take(layer.in_proj.out(which));
    layer.in_proj.forward_into(which, x, y, executor, packed ? &packed->in_proj : nullptr);
    return detail::split_heads<T>(y, heads);
  };
  const View<T, 4> query = project(HeadInput::query, config.heads), key = project(HeadInput::key, config.kv_heads),
                   value = project(HeadInput::value, config.kv_heads);
  detail::turn_heads(detail::Turn::forward, query, options, executor);
  detail::turn_heads(detail::Turn::forward, key, options, executor);
  past.append(key, value);
  const View<T, 3> attended = take(layer.out_proj.in_features());
  const detail::WidenedScores<T> scores(function, options.mask, options.bias, {batch, config.heads, steps, past.length()}, 0);
  attend_into<T>({.output = detail::split_heads<T>(attended, config.heads)}, query, past.key(), past.value(),
                 options.attention(scores, {}), workspace, executor, options.callables);
  layer.out_proj.forward_into(as_matrix(View<const T, 3>(attended)), as_matrix(out), executor,
                              packed ? &packed->out_proj : nullptr);
  workspace.rewind(mark);
}

}  // namespace heed::inline HEED_ABI
