#include "training_log.hpp"

#include <cerrno>
#include <fstream>
#include <system_error>

#include <heed/core/quote.hpp>

#include "console.hpp"

namespace translator {
namespace {

constexpr const char* head = "epoch,step,loss,learning_rate,tokens_per_second,valid_loss\n";

/// Whether a row belongs to the steps that the checkpoint has seen.
bool is_before(const std::string& row, heed::Index epoch, heed::Index step) {
  long long row_epoch = 0, row_step = 0;
  if (std::sscanf(row.c_str(), "%lld,%lld,", &row_epoch, &row_step) != 2) return false;
  return row_epoch < epoch || (row_epoch == epoch && row_step <= step);
}

}  // namespace

TrainingLog::TrainingLog(const std::string& path) {
  if (!path.empty()) open(path, head);
}

TrainingLog::TrainingLog(const std::string& path, heed::Index epoch, heed::Index step) {
  if (path.empty()) return;
  std::string kept = head, row;
  std::ifstream before(path);
  std::getline(before, row);
  while (std::getline(before, row)) {
    if (!before.eof() && is_before(row, epoch, step)) kept += row + '\n';
  }
  before.close();
  open(path, kept);
}

void TrainingLog::open(const std::string& path, const std::string& begin) {
  path_ = path;
  file_.reset(std::fopen(path.c_str(), "wb"));
  if (!file_) throw std::system_error(errno, std::generic_category(), "cannot write " + heed::quote(path));
  write_text(begin);
}

void TrainingLog::write_text(const std::string& text) {
  const bool written = std::fwrite(text.data(), 1, text.size(), file_.get()) == text.size();
  if (!written || std::fflush(file_.get()) != 0) {
    throw std::system_error(errno, std::generic_category(), "cannot write " + heed::quote(path_));
  }
}

void TrainingLog::write(const Row& row) {
  if (!file_) return;
  write_text(std::to_string(row.epoch) + ',' + std::to_string(row.step) + ',' + fixed(row.loss, 6) + ',' +
             fixed(row.learning_rate, 8) + ',' + fixed(row.tokens_per_second, 0) + ',' +
             (row.valid_loss ? fixed(*row.valid_loss, 6) : "") + '\n');
}

}  // namespace translator
