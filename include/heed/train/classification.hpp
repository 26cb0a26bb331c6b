#pragma once
// How well a classifier does, from a confusion matrix: accuracy, and precision, recall and F1 of each class and
// averaged, as scikit-learn's classification_report gives them.
//   precision = true positives / predicted, recall = true positives / true, F1 = 2 true positives / (predicted + true)

#include <algorithm>
#include <cstdio>
#include <span>
#include <string>
#include <vector>

#include <heed/core/check.hpp>
#include <heed/core/display_width.hpp>
#include <heed/core/quote.hpp>
#include <heed/core/role.hpp>
#include <heed/core/tensor.hpp>
#include <heed/train/metrics.hpp>

namespace heed::inline HEED_ABI {

/// A quotient without cases (a class never predicted has no precision) counts as 0, scikit-learn's zero_division.
struct ClassScores {
  double precision = 0, recall = 0, f1 = 0;
  Index support = 0;  // cases that are truly of the class
};

/// How per-class scores become one: macro, the mean over classes; weighted, over cases by their true class; micro, of
/// all cases' counts together, which with one label per case is the accuracy.
enum class Average { macro, weighted, micro };

/// counts(i, j): cases of true class i that were predicted as j.
class ConfusionMatrix {
 public:
  Tensor<Index, 2> counts;  // (classes, classes)

  static void fields(auto&& visit, auto&... self) { visit("counts", self.counts..., Role::buffer); }

  ConfusionMatrix() = default;
  /// Throws heed::Error for fewer than one class.
  explicit ConfusionMatrix(Index classes) {
    check(classes > 0,
          [&] { return "ConfusionMatrix: classes is " + std::to_string(classes) + ", wanted at least 1"; });
    counts = zeros<Index, 2>({classes, classes});
  }

  Index classes() const { return counts.dimension(0); }

  /// Counts cases; those whose target is `ignore` do not count. Throws heed::Error, before anything is counted, where
  /// the numbers differ or a class is outside 0 to classes - 1.
  void update(std::span<const Index> targets, std::span<const Index> predictions, Index ignore = -100) {
    check_extent("ConfusionMatrix::update", "predictions", "size", static_cast<Index>(predictions.size()),
                 static_cast<Index>(targets.size()));
    for (std::size_t i = 0; i < targets.size(); ++i) {
      if (targets[i] == ignore) continue;
      check_class("targets", i, targets[i]);
      check_class("predictions", i, predictions[i]);
    }
    for (std::size_t i = 0; i < targets.size(); ++i) {
      if (targets[i] != ignore) ++counts(targets[i], predictions[i]);
    }
  }
  /// The same for logits (rows, classes): the highest score is the prediction.
  template <class T>
  void update(std::span<const Index> targets, MatrixView<const T> logits, Index ignore = -100) {
    check_extent("ConfusionMatrix::update", "logits", "cols", logits.cols, classes());
    std::vector<Index> predictions;
    for (Index i = 0; i < logits.rows; ++i) {
      predictions.push_back(argmax(std::span<const T>(logits.row(i), static_cast<std::size_t>(logits.cols))));
    }
    update(targets, predictions, ignore);
  }

  Index total() const {
    return sum([](Index, Index) { return true; });
  }
  Index correct() const {
    return sum([](Index i, Index j) { return i == j; });
  }
  double accuracy() const { return quotient(correct(), total()); }

  /// Of one class against all others.
  ClassScores scores(Index of) const {
    check(of >= 0 && of < classes(), [&] {
      return "ConfusionMatrix::scores: class is " + std::to_string(of) + ", wanted 0 to " +
             std::to_string(classes() - 1);
    });
    const Index hits = counts(of, of), predicted = sum([of](Index, Index j) { return j == of; });
    const Index support = sum([of](Index i, Index) { return i == of; });
    return {quotient(hits, predicted), quotient(hits, support), quotient(2 * hits, predicted + support), support};
  }

  /// Over all classes that occur, as a target or as a prediction. support is the number of cases.
  ClassScores average(Average kind) const {
    if (kind == Average::micro) return {accuracy(), accuracy(), accuracy(), total()};
    ClassScores mean;
    double weights = 0;
    for (Index c = 0; c < classes(); ++c) {
      const ClassScores one = scores(c);
      const bool occurs = sum([c](Index i, Index j) { return i == c || j == c; }) > 0;
      const double weight = !occurs ? 0 : kind == Average::macro ? 1 : static_cast<double>(one.support);
      mean.precision += weight * one.precision;
      mean.recall += weight * one.recall;
      mean.f1 += weight * one.f1;
      weights += weight;
    }
    for (double* const value : {&mean.precision, &mean.recall, &mean.f1}) *value = weights > 0 ? *value / weights : 0;
    mean.support = total();
    return mean;
  }

 private:
  static double quotient(Index part, Index whole) {
    return whole == 0 ? 0 : static_cast<double>(part) / static_cast<double>(whole);
  }
  template <class Takes>
  Index sum(const Takes& takes) const {
    Index all = 0;
    for (Index i = 0; i < classes(); ++i) {
      for (Index j = 0; j < classes(); ++j) all += takes(i, j) ? counts(i, j) : 0;
    }
    return all;
  }
  void check_class(const char* argument, std::size_t place, Index found) const {
    check(found >= 0 && found < classes(), [&] {
      return "ConfusionMatrix::update: " + std::string(argument) + "[" + std::to_string(place) + "] is " +
             std::to_string(found) + ", wanted 0 to " + std::to_string(classes() - 1);
    });
  }
};

namespace detail {

inline std::string report_line(const std::string& name, Index width, const ClassScores& scores) {
  char numbers[96];
  std::snprintf(numbers, sizeof numbers, " %10.2f%10.2f%10.2f%10td\n", scores.precision, scores.recall, scores.f1,
                scores.support);
  return std::string(static_cast<std::size_t>(std::max<Index>(width - display_width(name), 0)), ' ') + name + numbers;
}

}  // namespace detail

/// The lines of scikit-learn's classification_report; names (classes), empty for the classes' numbers. Text in names is
/// shown escaped. Throws heed::Error for another number of names.
inline std::string classification_report(const ConfusionMatrix& matrix, std::span<const std::string> names = {}) {
  if (!names.empty()) {
    check_extent("classification_report", "names", "size", static_cast<Index>(names.size()), matrix.classes());
  }
  const auto name = [&](Index c) {
    return names.empty() ? std::to_string(c) : escaped(names[static_cast<std::size_t>(c)]);
  };
  Index width = 12;  // "weighted avg"
  for (Index c = 0; c < matrix.classes(); ++c) width = std::max(width, display_width(name(c)));
  std::string text(static_cast<std::size_t>(width), ' ');
  text += "  precision    recall  f1-score   support\n\n";
  for (Index c = 0; c < matrix.classes(); ++c) text += detail::report_line(name(c), width, matrix.scores(c));
  char numbers[96];
  std::snprintf(numbers, sizeof numbers, " %30.2f%10td\n", matrix.accuracy(), matrix.total());
  text += '\n' + std::string(static_cast<std::size_t>(width - 8), ' ') + "accuracy" + numbers;
  text += detail::report_line("macro avg", width, matrix.average(Average::macro));
  return text + detail::report_line("weighted avg", width, matrix.average(Average::weighted));
}

}  // namespace heed::inline HEED_ABI
