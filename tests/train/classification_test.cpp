#include <heed/train/classification.hpp>

#include "support/catch.hpp"

using heed::Average;
using heed::ConfusionMatrix;
using heed::Index;

namespace {

/// true 0: predicted 0 1 1; true 1: 1 1 1 2; true 2: 2; class 3 never occurs but as a prediction of a 2.
ConfusionMatrix example() {
  ConfusionMatrix matrix(4);
  matrix.update(std::vector<Index>{0, 0, 0, 1, 1, 1, 1, 2, 2, -100}, std::vector<Index>{0, 1, 1, 1, 1, 1, 2, 2, 3, 77});
  return matrix;
}

}  // namespace

TEST_CASE("precision, recall and F1 per class are what a pencil gives", "[train]") {
  const ConfusionMatrix matrix = example();
  CHECK(matrix.total() == 9);
  CHECK(matrix.correct() == 5);
  CHECK(matrix.accuracy() == Approx(5.0 / 9));
  CHECK(matrix.counts(0, 1) == 2);
  const heed::ClassScores zero = matrix.scores(0), one = matrix.scores(1), two = matrix.scores(2),
                          three = matrix.scores(3);
  CHECK(zero.precision == 1);
  CHECK(zero.recall == Approx(1.0 / 3));
  CHECK(zero.f1 == Approx(0.5));
  CHECK(zero.support == 3);
  CHECK(one.precision == Approx(0.6));
  CHECK(one.recall == Approx(0.75));
  CHECK(one.f1 == Approx(2.0 / 3));
  CHECK(two.precision == Approx(0.5));
  CHECK(two.recall == Approx(0.5));
  CHECK(three.precision == 0);
  CHECK(three.recall == 0);
  CHECK(three.f1 == 0);
  CHECK(three.support == 0);
}

TEST_CASE("averages are over classes, over cases, and of all counts together", "[train]") {
  const ConfusionMatrix matrix = example();
  const auto macro = matrix.average(Average::macro), weighted = matrix.average(Average::weighted);
  CHECK(macro.precision == Approx((1 + 0.6 + 0.5 + 0) / 4));
  CHECK(macro.recall == Approx((1.0 / 3 + 0.75 + 0.5 + 0) / 4));
  CHECK(macro.f1 == Approx((0.5 + 2.0 / 3 + 0.5 + 0) / 4));
  CHECK(macro.support == 9);
  CHECK(weighted.precision == Approx((3 * 1 + 4 * 0.6 + 2 * 0.5) / 9));
  CHECK(weighted.recall == Approx(matrix.accuracy()));
  CHECK(weighted.f1 == Approx((3 * 0.5 + 4 * 2.0 / 3 + 2 * 0.5) / 9));
  CHECK(matrix.average(Average::micro).f1 == Approx(5.0 / 9));
  ConfusionMatrix sparse(9);  // a class that never occurs takes no part
  sparse.update(std::vector<Index>{0, 8}, std::vector<Index>{0, 8});
  CHECK(sparse.average(Average::macro).f1 == 1);
}

TEST_CASE("nothing counted gives zeros", "[train]") {
  const ConfusionMatrix matrix(2);
  CHECK(matrix.accuracy() == 0);
  CHECK(matrix.scores(0).f1 == 0);
  CHECK(matrix.average(Average::macro).f1 == 0);
  CHECK(matrix.average(Average::weighted).precision == 0);
}

TEST_CASE("logits are counted by their highest score", "[train]") {
  heed::Tensor<float, 2> logits(3, 2);
  logits.setValues({{1, 2}, {3, 1}, {0, 5}});
  ConfusionMatrix matrix(2);
  matrix.update(std::vector<Index>{1, 1, -100}, heed::as_matrix(std::as_const(logits)));
  CHECK(matrix.counts(1, 1) == 1);
  CHECK(matrix.counts(1, 0) == 1);
  CHECK(matrix.total() == 2);
}

TEST_CASE("the report has the lines of scikit-learn's", "[train]") {
  ConfusionMatrix matrix(3);  // the example of scikit-learn's own documentation
  matrix.update(std::vector<Index>{0, 1, 2, 2, 2}, std::vector<Index>{0, 0, 2, 2, 1});
  const std::vector<std::string> names = {"class 0", "class 1", "class 2"};
  CHECK(heed::classification_report(matrix, names) ==
        "              precision    recall  f1-score   support\n"
        "\n"
        "     class 0       0.50      1.00      0.67         1\n"
        "     class 1       0.00      0.00      0.00         1\n"
        "     class 2       1.00      0.67      0.80         3\n"
        "\n"
        "    accuracy                           0.60         5\n"
        "   macro avg       0.50      0.56      0.49         5\n"
        "weighted avg       0.70      0.60      0.61         5\n");
  CHECK_THROWS_AS(heed::classification_report(matrix, std::vector<std::string>{"a"}), heed::Error);
}

TEST_CASE("a confusion matrix refuses classes outside its own, before it counts", "[train]") {
  CHECK_THROWS_AS(ConfusionMatrix(0), heed::Error);
  ConfusionMatrix matrix(2);
  CHECK_THROWS_WITH(matrix.update(std::vector<Index>{0, 1}, std::vector<Index>{0, 2}),
                    "ConfusionMatrix::update: predictions[1] is 2, wanted 0 to 1");
  CHECK_THROWS_AS(matrix.update(std::vector<Index>{-1}, std::vector<Index>{0}), heed::Error);
  CHECK_THROWS_AS(matrix.update(std::vector<Index>{1}, std::vector<Index>{}), heed::Error);
  CHECK_THROWS_AS(matrix.scores(2), heed::Error);
  CHECK(matrix.total() == 0);
}
