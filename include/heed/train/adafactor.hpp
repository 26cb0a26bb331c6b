#pragma once
// Adafactor: the second moment of a matrix kept as one number per row and one per column, steps measured in the
// weights' own size and cut where they are large. Beside the model it keeps rows + columns instead of rows * columns
// numbers.
//   N. Shazeer, M. Stern, "Adafactor: Adaptive Learning Rates with Sublinear Memory Cost", ICML 2018, algorithms 4 and
//   5.

#include <algorithm>
#include <limits>
#include <vector>

#include <heed/attention/matmul.hpp>
#include <heed/simd/row.hpp>
#include <heed/train/clip.hpp>

namespace heed::inline HEED_ABI {

/// smoothing at step t is 1 - t^smoothing_power; the step is min(learning_rate, 1/sqrt(t)) times the larger of
/// smallest_scale and the root mean square of the weights. Decay is taken from the weight itself (AdamW's).
struct AdafactorOptions {
  double learning_rate = 1e-2;  // Keras' own default is 1e-3
  double smoothing_power = -0.8;
  double epsilon = 1e-30;        // keras, the paper: added to squared gradients
  double smallest_scale = 1e-3;  // the paper's epsilon_2
  double clip_threshold = 1;     // d: the root mean square that a step may have before it is scaled
  double weight_decay = 0;       // not for Role::no_decay
  Convention convention =
      Convention::torch;  // torch: no epsilon, but a floor of the element type's epsilon squared below
                          // the second moment and of epsilon below the rows' mean
  FrozenFilter frozen = {};
};

/// The second moment of one tensor: of a matrix (or of each of a stack of them: the last two axes) its row and column
/// means, of a vector all elements in `column`. In double.
struct FactoredMoment {
  Tensor<double, 1> row, column;

  static void fields(auto&& visit, auto&... self) {
    visit("row", self.row...);
    visit("column", self.column...);
  }
};

namespace detail {

/// A tensor as matrices that lie one behind the other; a vector is one row.
struct MatrixStack {
  Index count = 1, rows = 1, cols = 1;
  bool factored = false;

  template <class T, int Rank>
  explicit MatrixStack(const Tensor<T, Rank>& tensor) : factored(Rank >= 2) {
    cols = tensor.dimension(Rank - 1);
    if constexpr (Rank >= 2) rows = tensor.dimension(Rank - 2);
    count = tensor.size() / (rows * cols);
  }
};

inline constexpr Index factor_cols = 128;  // columns of a task: each column is one chain over the rows

/// What one step makes of one matrix: its moments moved, then value -= rate * g / sqrt(row * column / scale).
template <class T>
class FactoredStep {
 public:
  FactoredStep(const AdafactorOptions& options, double count, MatrixView<const T> grad, double* row, double* column,
               ExecutorRef executor)
      : grad_(grad), executor_(executor), inverse_(static_cast<std::size_t>(grad.cols)) {
    const bool torch = options.convention == Convention::torch;
    const double floor = torch ? static_cast<double>(std::numeric_limits<T>::epsilon()) : 0;
    const double added = torch ? 0 : options.epsilon, input = std::pow(count, options.smoothing_power);
    move_columns(column, row ? static_cast<double>(grad.rows) : 1, input, added);
    if (row) move_rows(row, input, added);
    double mean = 0;
    for (Index i = 0; row && i < grad.rows; ++i) mean += row[i] / static_cast<double>(grad.rows);
    scale_.resize(static_cast<std::size_t>(grad.rows));
    for (Index i = 0; i < grad.rows; ++i) {
      scale_[static_cast<std::size_t>(i)] = T(row ? row[i] / (torch ? std::max(mean, floor) : mean) : 1);
    }
    for (Index j = 0; j < grad.cols; ++j) inverse_[static_cast<std::size_t>(j)] = T(column[j]);
    floor_ = T(floor * floor);
  }

  /// The sum of the squares of g / sqrt(v): rows in tasks, joined in order.
  double power() const {
    std::vector<T> parts(static_cast<std::size_t>(grad_.rows));
    for_each_task(executor_, grad_.rows, [&](Index i, Index) {
      const T* const g = grad_.row(i);
      const auto step = [&](const Batch<T>& sum, Index j, Index n) {
        const Batch<T> x = load_partial(g + j, n);
        return sum + select(first_lanes<T>(n), divide(x * x, moment(i, j, n)), broadcast(T(0)));
      };
      parts[static_cast<std::size_t>(i)] =
          simd_detail::reduce_row<T, default_arch>(grad_.cols, T(0), step, simd_detail::AddBatches());
    });
    double total = 0;
    for (const T part : parts) total += static_cast<double>(part);
    return total;
  }

  /// value (rows, cols) = keep * value - rate * g / sqrt(v).
  void apply(MatrixView<T> value, T keep, T rate) const {
    for_each_task(executor_, grad_.rows, [&](Index i, Index) {
      const T* const g = grad_.row(i);
      simd_detail::update_row<T, default_arch>(value.row(i), value.cols, [&](const Batch<T>& w, Index j, Index n) {
        return fnma(broadcast(rate), divide(load_partial(g + j, n), sqrt(moment(i, j, n))), w * broadcast(keep));
      });
    });
  }

 private:
  Batch<T> moment(Index i, Index j, Index n) const {
    const Batch<T> v = broadcast(scale_[static_cast<std::size_t>(i)]) * load_partial(inverse_.data() + j, n);
    return floor_ > T(0) ? maximum(v, broadcast(floor_)) : v;
  }
  void move_columns(double* column, double rows, double input, double added) {
    const Cut cut(grad_.cols, (grad_.cols + factor_cols - 1) / factor_cols, factor_cols);
    for_each_task(executor_, cut.count(), [&](Index task, Index) {
      std::vector<T> sums(static_cast<std::size_t>(cut.size(task)));
      for (Index i = 0; i < grad_.rows; ++i) {
        const T* const g = grad_.row(i) + cut.first(task);
        simd_detail::update_row<T, default_arch>(sums.data(), cut.size(task),
                                                 [&](const Batch<T>& sum, Index j, Index n) {
                                                   const Batch<T> x = load_partial(g + j, n);
                                                   return fma(x, x, sum);
                                                 });
      }
      for (Index j = 0; j < cut.size(task); ++j) {
        double& kept = column[cut.first(task) + j];
        kept += input * (static_cast<double>(sums[static_cast<std::size_t>(j)]) / rows + added - kept);
      }
    });
  }
  void move_rows(double* row, double input, double added) {
    for_each_task(executor_, grad_.rows, [&](Index i, Index) {
      const T* const g = grad_.row(i);
      const double mean = static_cast<double>(dot(g, g, grad_.cols)) / static_cast<double>(grad_.cols);
      row[i] += input * (mean + added - row[i]);
    });
  }

  MatrixView<const T> grad_;
  ExecutorRef executor_;
  std::vector<T> inverse_;  // column means
  std::vector<T> scale_;    // row means over their mean
  T floor_ = 0;
};

}  // namespace detail

/// Adafactor optimizer(model, {.learning_rate = 1e-2}); optimizer.step(model, grad).
template <class Model>
struct Adafactor {
  AdafactorOptions options;
  Tensor<double, 1> progress = step_state(1);  // steps done
  std::vector<FactoredMoment> moments;         // of every tensor in the order of the model's fields

  static void fields(auto&& visit, auto&... self) {
    visit("progress", self.progress..., Role::buffer);
    visit("moments", self.moments...);
  }

  Adafactor() = default;
  /// Throws heed::Error for an option outside its range.
  explicit Adafactor(const Model& model, AdafactorOptions chosen = {}) : options(std::move(chosen)) {
    check_options();
    for_each_parameter(
        [&](std::string_view, Role role, const auto& tensor) {
          FactoredMoment& moment = moments.emplace_back();
          if (role == Role::buffer) return;
          const detail::MatrixStack shape(tensor);
          if (shape.factored) moment.row = step_state(shape.count * shape.rows);
          moment.column = step_state(shape.count * shape.cols);
        },
        model);
  }

  /// model -= step, in place; grad is not changed. grad has the model's structure and shapes. Bits depend on no thread
  /// count.
  void step(Model& model, const Model& grad, ExecutorRef executor = default_executor()) {
    check_options();
    std::size_t place = 0;
    const auto check_one = [&](std::string_view name, Role role, const auto& tensor, const auto&) {
      check_moment(place++, name, role, tensor);
    };
    for_each_parameter(check_one, model, grad);
    const double count = progress(0) + 1;
    place = 0;
    for_each_parameter(
        [&](std::string_view name, Role role, auto& value, const auto& d_value) {
          FactoredMoment& moment = moments[place++];
          if (role == Role::buffer || (options.frozen && options.frozen(name))) return;
          move(value, d_value, moment, role, count, executor);
        },
        model, grad);
    progress(0) = count;
  }

 private:
  template <class T, int Rank>
  void move(Tensor<T, Rank>& value, const Tensor<T, Rank>& grad, FactoredMoment& moment, Role role, double count,
            ExecutorRef executor) const {
    const detail::MatrixStack shape(value);
    const auto size = static_cast<double>(value.size());
    const double power = detail::tensor_power(value.data(), value.size(), Norm::euclidean, executor);
    std::vector<detail::FactoredStep<T>> steps;
    double step_power = 0;
    for (Index m = 0; m < shape.count; ++m) {
      steps.emplace_back(options, count,
                         MatrixView<const T>(grad.data() + m * shape.rows * shape.cols, shape.rows, shape.cols),
                         shape.factored ? moment.row.data() + m * shape.rows : nullptr,
                         moment.column.data() + m * shape.cols, executor);
      step_power += steps.back().power();
    }
    const double scale = std::max(options.smallest_scale, std::sqrt(power / size));
    const double cut = std::max(1.0, std::sqrt(step_power / size) / options.clip_threshold);
    const double rate = std::min(options.learning_rate, 1 / std::sqrt(count)) * scale / cut;
    const double keep = role == Role::parameter ? 1 - options.learning_rate * options.weight_decay : 1;
    for (Index m = 0; m < shape.count; ++m) {
      steps[static_cast<std::size_t>(m)].apply(
          MatrixView<T>(value.data() + m * shape.rows * shape.cols, shape.rows, shape.cols), T(keep), T(rate));
    }
  }

  template <class T, int Rank>
  void check_moment(std::size_t place, std::string_view name, Role role, const Tensor<T, Rank>& tensor) const {
    const detail::MatrixStack shape(tensor);
    const Index rows = role == Role::buffer || !shape.factored ? 0 : shape.count * shape.rows;
    const Index cols = role == Role::buffer ? 0 : shape.count * shape.cols;
    const bool same =
        place < moments.size() && moments[place].row.size() == rows && moments[place].column.size() == cols;
    check(same, [&] {
      return "Adafactor: " + std::string(name) + " has shape " + shape_text(extents(tensor)) +
             ", wanted the one that the optimizer was made for";
    });
  }
  void check_options() const {
    check_common_options("Adafactor", options);
    check(options.epsilon > 0, [] { return std::string("Adafactor: epsilon is 0, wanted a positive number"); });
    check_option("Adafactor", "smoothing_power", options.smoothing_power, -1, 0);
    check_option("Adafactor", "smallest_scale", options.smallest_scale, 0, largest_rate);
    check_option("Adafactor", "clip_threshold", options.clip_threshold, 1e-30, largest_rate);
  }
};

}  // namespace heed::inline HEED_ABI
