#pragma once
// The CSV beside a model: one row per step, the validation loss in the last row of an epoch.

#include <cstdio>
#include <memory>
#include <optional>
#include <string>

#include <heed/core/view.hpp>

namespace translator {

class TrainingLog {
 public:
  struct Row {
    heed::Index epoch = 0, step = 0;
    double loss = 0, learning_rate = 0, tokens_per_second = 0;
    std::optional<double> valid_loss;
  };

  /// A log that goes nowhere.
  TrainingLog() = default;
  /// Begins the file anew, or keeps its rows up to `epoch` and `step` (a resumed run writes the later ones again).
  explicit TrainingLog(const std::string& path);
  TrainingLog(const std::string& path, heed::Index epoch, heed::Index step);

  void write(const Row& row);

 private:
  struct Close {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };
  void open(const std::string& path, const std::string& begin);
  void write_text(const std::string& text);

  std::unique_ptr<std::FILE, Close> file_;
  std::string path_;
};

}  // namespace translator
