#pragma once
// Cross-entropy of class scores: loss and gradient in one pass over the scores. Targets are class ids or probabilities,
// the class axis is any. Row losses are added in row order, in double: no thread count changes a bit.

#include <algorithm>
#include <span>
#include <string>
#include <type_traits>

#include <heed/core/check.hpp>
#include <heed/core/tensor.hpp>
#include <heed/core/default_executor.hpp>
#include <heed/core/workspace.hpp>
#include <heed/kernels/cross_entropy.hpp>
#include <heed/nn/elementwise_loss.hpp>

namespace heed::inline HEED_ABI {

/// Which classes share what label smoothing takes from the target: all V of them (torch: the target too), or the V - 1
/// others (SEMANTICS 25).
enum class Smoothing { all_classes, other_classes };

template <class T>
struct CrossEntropyOptions {
  Reduction reduction = Reduction::mean;
  Index ignore = -100;  // rows of this class id (a pad id) take no part in loss and gradient
  double label_smoothing = 0;
  Smoothing smoothing = Smoothing::all_classes;
  std::span<const T> class_weights = {};  // (classes); empty: all 1
  int class_axis = -1;                    // of the logits; negative counts from the last
  std::span<const T> upstream = {};  // what the gradient is multiplied by: empty 1, one number, or one per row (none)
};

/// loss is the mean, or the sum for `sum` and `none`. weight is what a mean divides by: the rows that count, each with
/// its target's class weight; with probability targets the number of rows. Where it is 0, loss and gradient are 0.
template <class T>
struct CrossEntropyLoss {
  double loss = 0;
  double sum = 0;
  double weight = 0;
  Index counted = 0;    // rows that were not ignored
  Tensor<T, 1> losses;  // (rows), 0 where ignored; rows are all axes but the classes', in memory order
};

namespace detail {

/// logits (..., classes, ...) seen as (outer, classes, inner).
struct ClassLayout {
  Index outer = 1, classes = 0, inner = 1;
  Index rows() const { return outer * inner; }
  Index begin(Index row) const { return row / inner * classes * inner + row % inner; }
};

inline ClassLayout class_layout(std::span<const Index> shape, int class_axis) {
  const auto rank = static_cast<int>(shape.size());
  const int axis = class_axis < 0 ? class_axis + rank : class_axis;
  check(axis >= 0 && axis < rank, [&] {
    return "cross_entropy: class_axis is " + std::to_string(class_axis) + ", wanted " + std::to_string(-rank) + " to " +
           std::to_string(rank - 1);
  });
  ClassLayout layout;
  for (int i = 0; i < axis; ++i) layout.outer *= shape[static_cast<std::size_t>(i)];
  layout.classes = shape[static_cast<std::size_t>(axis)];
  for (int i = axis + 1; i < rank; ++i) layout.inner *= shape[static_cast<std::size_t>(i)];
  check(layout.classes > 0,
        [&] { return "cross_entropy: logits has shape " + shape_text(shape) + ", wanted at least 1 class"; });
  return layout;
}

/// Reads or writes one row's classes, `inner` apart.
template <class T>
void gather_classes(const T* from, T* row, const ClassLayout& layout) {
  for (Index c = 0; c < layout.classes; ++c) row[c] = from[c * layout.inner];
}
template <class T>
void scatter_classes(const T* row, T* to, const ClassLayout& layout) {
  for (Index c = 0; c < layout.classes; ++c) to[c * layout.inner] = row[c];
}

/// Class ids as targets: counted(row), weight(row) and at(row, scratch).
template <class T>
struct IdTargets {
  std::span<const Index> ids;
  const CrossEntropyOptions<T>& options;
  ClassTarget<T> masses;

  IdTargets(std::span<const Index> targets, const CrossEntropyOptions<T>& chosen, Index classes)
      : ids(targets), options(chosen), masses{} {
    const double s = chosen.label_smoothing, count = static_cast<double>(classes);
    const bool all = chosen.smoothing == Smoothing::all_classes;
    masses.off = T(all ? s / count : classes > 1 ? s / (count - 1) : 0);
    masses.on = T(all ? 1 - s + s / count : classes > 1 ? 1 - s : 1);
    masses.class_weight = chosen.class_weights.empty() ? nullptr : chosen.class_weights.data();
  }
  Index id(Index row) const { return ids[static_cast<std::size_t>(row)]; }
  bool counted(Index row) const { return id(row) != options.ignore; }
  double weight(Index row) const {
    if (!counted(row)) return 0;
    return masses.class_weight ? static_cast<double>(masses.class_weight[id(row)]) : 1;
  }
  ClassTarget<T> at(Index row, T*) const {
    ClassTarget<T> target = masses;
    target.target = id(row);
    return target;
  }
};

/// Probabilities as targets, laid out like the logits. Every row counts, with weight 1 (torch's convention).
template <class T>
struct ProbabilityTargets {
  const T* probabilities;
  ClassLayout layout;
  ProbabilityTarget<T> masses;

  ProbabilityTargets(const T* targets, const CrossEntropyOptions<T>& options, const ClassLayout& place)
      : probabilities(targets), layout(place), masses{} {
    const double s = options.label_smoothing, count = static_cast<double>(place.classes);
    const bool all = options.smoothing == Smoothing::all_classes;
    const double off = all ? s / count : place.classes > 1 ? s / (count - 1) : 0;
    masses.off = T(off);
    masses.keep = T(all || place.classes > 1 ? 1 - s - (all ? 0 : off) : 1);
    masses.class_weight = options.class_weights.empty() ? nullptr : options.class_weights.data();
  }
  bool counted(Index) const { return true; }
  double weight(Index) const { return 1; }
  ProbabilityTarget<T> at(Index row, T* scratch) const {
    ProbabilityTarget<T> target = masses;
    target.probability = probabilities + layout.begin(row);
    if (layout.inner > 1) gather_classes(target.probability, scratch, layout), target.probability = scratch;
    return target;
  }
};

struct CrossEntropyScratch;

/// One row: its loss, and where gradient is given (it may be the logits themselves) scale times its gradient.
template <class T, class Targets>
T cross_entropy_at(Index row, const T* logits, T* gradient, const ClassLayout& layout, const Targets& targets,
                   T scale) {
  const T* const from = logits + layout.begin(row);
  T* const to = gradient ? gradient + layout.begin(row) : nullptr;
  if (!targets.counted(row)) {
    for (Index c = 0; to && c < layout.classes; ++c) to[c * layout.inner] = T(0);
    return T(0);
  }
  if (layout.inner == 1) {
    const auto target = targets.at(row, nullptr);
    if (!to) return cross_entropy_row(from, layout.classes, target);
    if (to != from) std::copy(from, from + layout.classes, to);
    return cross_entropy_row_with_gradient(to, layout.classes, target, scale);
  }
  T* const scratch = thread_scratch<CrossEntropyScratch, T>(2 * layout.classes);
  gather_classes(from, scratch, layout);
  const auto target = targets.at(row, scratch + layout.classes);
  if (!to) return cross_entropy_row(scratch, layout.classes, target);
  const T loss = cross_entropy_row_with_gradient(scratch, layout.classes, target, scale);
  scatter_classes(scratch, to, layout);
  return loss;
}

template <class T, class Targets>
CrossEntropyLoss<T> cross_entropy_over(const T* logits, T* gradient, const ClassLayout& layout, const Targets& targets,
                                       const CrossEntropyOptions<T>& options, ExecutorRef executor) {
  const Index rows = layout.rows();
  CrossEntropyLoss<T> result;
  result.losses = Tensor<T, 1>(rows);
  for (Index row = 0; row < rows; ++row) {
    result.weight += targets.weight(row);
    result.counted += targets.counted(row) ? 1 : 0;
  }
  const bool mean = options.reduction == Reduction::mean;
  const double share = !mean ? 1 : result.weight == 0 ? 0 : 1 / result.weight;
  const auto scale = [&](Index row) {
    if (options.upstream.empty()) return static_cast<T>(share);
    const bool each = options.reduction == Reduction::none;
    return static_cast<T>(share * static_cast<double>(options.upstream[each ? static_cast<std::size_t>(row) : 0]));
  };
  const Index grain = std::max<Index>(1, 8192 / layout.classes);  // rows that are worth a thread
  for_each_task(executor, (rows + grain - 1) / grain, [&](Index task, Index) {
    for (Index row = task * grain; row < std::min(rows, (task + 1) * grain); ++row)
      result.losses(row) = cross_entropy_at(row, logits, gradient, layout, targets, gradient ? scale(row) : T(0));
  });
  for (const T loss : flat(result.losses)) result.sum += static_cast<double>(loss);
  result.loss = mean ? result.sum * share : result.sum;
  return result;
}

template <class T>
void check_cross_entropy(const CrossEntropyOptions<T>& options, const ClassLayout& layout) {
  check(options.label_smoothing >= 0 && options.label_smoothing <= 1, [&] {
    return "cross_entropy: label_smoothing is " + std::to_string(options.label_smoothing) + ", wanted 0 to 1";
  });
  const auto weights = static_cast<Index>(options.class_weights.size());
  if (weights > 0) check_extent("cross_entropy", "class_weights", "size", weights, layout.classes);
  const auto upstream = static_cast<Index>(options.upstream.size());
  const Index wanted = options.reduction == Reduction::none ? layout.rows() : 1;
  if (upstream > 0) check_extent("cross_entropy", "upstream", "size", upstream, wanted);
}

template <class T>
void check_class_ids(std::span<const Index> ids, const CrossEntropyOptions<T>& options, const ClassLayout& layout) {
  check_extent("cross_entropy", "targets", "size", static_cast<Index>(ids.size()), layout.rows());
  for (std::size_t i = 0; i < ids.size(); ++i) {
    check((ids[i] >= 0 && ids[i] < layout.classes) || ids[i] == options.ignore, [&] {
      return "cross_entropy: targets[" + std::to_string(i) + "] is " + std::to_string(ids[i]) + ", wanted 0 to " +
             std::to_string(layout.classes - 1) + " or " + std::to_string(options.ignore) + " (ignored)";
    });
  }
}

}  // namespace detail

/// logits (rows, classes), which are overwritten by the gradient, against class ids (rows): the form for large
/// vocabularies, no copy is made. The class axis is the last. Throws heed::Error, before writing, for an id that is
/// neither a class nor ignored, and for options outside their range.
template <class T>
CrossEntropyLoss<T> cross_entropy_in_place(MatrixView<T> logits, std::span<const Index> targets,
                                           const std::type_identity_t<CrossEntropyOptions<T>>& options = {},
                                           ExecutorRef executor = default_executor()) {
  const detail::ClassLayout layout = detail::class_layout(Extents<2>{logits.rows, logits.cols}, -1);
  check(logits.stride == logits.cols, [&] {
    return "cross_entropy: logits has rows " + std::to_string(logits.stride) + " apart, wanted " +
           std::to_string(logits.cols) + ": dense rows";
  });
  detail::check_cross_entropy(options, layout);
  detail::check_class_ids<T>(targets, options, layout);
  return detail::cross_entropy_over(logits.data, logits.data, layout,
                                    detail::IdTargets<T>(targets, options, layout.classes), options, executor);
}

/// logits (..., classes, ...) of rank `Rank` against class ids, one per row, in the memory order of logits without its
/// class axis. d_logits, where given, is overwritten by the gradient; it may be &logits. Throws heed::Error as above.
template <class T, int Rank>
CrossEntropyLoss<T> cross_entropy(const Tensor<T, Rank>& logits, std::span<const Index> targets,
                                  const std::type_identity_t<CrossEntropyOptions<T>>& options = {},
                                  Tensor<T, Rank>* d_logits = nullptr, ExecutorRef executor = default_executor()) {
  const detail::ClassLayout layout = detail::class_layout(extents(logits), options.class_axis);
  detail::check_cross_entropy(options, layout);
  detail::check_class_ids<T>(targets, options, layout);
  if (d_logits && d_logits != &logits) d_logits->resize(logits.dimensions());
  return detail::cross_entropy_over(logits.data(), d_logits ? d_logits->data() : nullptr, layout,
                                    detail::IdTargets<T>(targets, options, layout.classes), options, executor);
}

/// The same against class probabilities of the logits' shape; a row's need not sum to 1.
template <class T, int Rank>
CrossEntropyLoss<T> cross_entropy(const Tensor<T, Rank>& logits, const Tensor<T, Rank>& probabilities,
                                  const std::type_identity_t<CrossEntropyOptions<T>>& options = {},
                                  Tensor<T, Rank>* d_logits = nullptr, ExecutorRef executor = default_executor()) {
  const detail::ClassLayout layout = detail::class_layout(extents(logits), options.class_axis);
  detail::check_cross_entropy(options, layout);
  check_shape("cross_entropy", "probabilities", extents(probabilities), extents(logits));
  if (d_logits && d_logits != &logits) d_logits->resize(logits.dimensions());
  return detail::cross_entropy_over(logits.data(), d_logits ? d_logits->data() : nullptr, layout,
                                    detail::ProbabilityTargets<T>(probabilities.data(), options, layout), options,
                                    executor);
}

}  // namespace heed::inline HEED_ABI
