#pragma once
// The edit distance inside TER: Levenshtein's within a band around the diagonal, with the edits that reach it.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <heed/core/view.hpp>

namespace heed::inline HEED_ABI {

/// Turning a hypothesis into a reference: a word kept, replaced, put in from the reference, or taken out.
enum class Edit : std::uint8_t { keep, substitute, insert, remove, undefined };

/// Distances to one reference. Rows of hypothesis words that the last kept one begins with are not computed anew.
class BandedEditDistance {
 public:
  /// Words on each side of the diagonal that are considered: Tercom's beam.
  static constexpr Index band = 25;

  /// `reference` (words as numbers) must outlive this.
  explicit BandedEditDistance(std::u32string_view reference)
      : reference_(reference), columns_(static_cast<Index>(reference.size()) + 1) {}

  /// Edits that turn `hypothesis` into the reference. Hypotheses of one length should follow each other: each reuses
  /// the rows of the words that it shares with the one before.
  Index operator()(std::u32string_view hypothesis) {
    const auto length = static_cast<Index>(hypothesis.size());
    Index row = 0;
    if (hypothesis.size() == hypothesis_.size() && !cells_.empty()) {
      while (row < length && hypothesis[at(row)] == hypothesis_[at(row)]) ++row;
    } else {
      cells_.assign(at((length + 1) * columns_), Cell{});
      for (Index j = 0; j < columns_; ++j) cell(0, j) = {j, Edit::insert};
    }
    hypothesis_ = hypothesis;
    while (row < length) fill_row(++row, length);
    return cell(length, columns_ - 1).cost;
  }

  /// The edits of the last distance, from the first word to the last.
  std::vector<Edit> edits() const {
    std::vector<Edit> backwards;
    auto i = static_cast<Index>(hypothesis_.size()), j = columns_ - 1;
    while (i > 0 || j > 0) {
      const Edit edit = cells_[at(i * columns_ + j)].edit;
      if (edit == Edit::undefined) break;
      backwards.push_back(edit);
      if (edit != Edit::insert) --i;
      if (edit != Edit::remove) --j;
    }
    return {backwards.rbegin(), backwards.rend()};
  }

 private:
  static constexpr Index infinity = Index{1} << 30;
  struct Cell {
    Index cost = infinity;
    Edit edit = Edit::undefined;
  };

  static std::size_t at(Index i) { return static_cast<std::size_t>(i); }
  Cell& cell(Index i, Index j) { return cells_[at(i * columns_ + j)]; }

  void fill_row(Index i, Index length) {
    // The diagonal of a matrix that is not square; much longer references widen the band so that rows overlap.
    const double slope = static_cast<double>(columns_ - 1) / static_cast<double>(length);
    constexpr auto narrow = static_cast<double>(band);
    const Index width = narrow < slope / 2 ? static_cast<Index>(std::ceil(slope / 2 + narrow)) : band;
    const auto diagonal = static_cast<Index>(std::floor(static_cast<double>(i) * slope));
    const Index first = std::max(Index{0}, diagonal - width);
    const Index last = i == length ? columns_ : std::min(columns_, diagonal + width);
    std::fill_n(cells_.begin() + i * columns_, columns_, Cell{});
    for (Index j = first; j < last; ++j) {
      if (j == 0) {
        cell(i, j) = {cell(i - 1, j).cost + 1, Edit::remove};
        continue;
      }
      const bool same = hypothesis_[at(i - 1)] == reference_[at(j - 1)];
      Cell best;  // of equal costs: keep or substitute, then remove, then insert
      const auto offer = [&](Index cost, Edit edit) {
        if (cost < best.cost) best = {cost, edit};
      };
      offer(cell(i - 1, j - 1).cost + (same ? 0 : 1), same ? Edit::keep : Edit::substitute);
      offer(cell(i - 1, j).cost + 1, Edit::remove);
      offer(cell(i, j - 1).cost + 1, Edit::insert);
      cell(i, j) = best;
    }
  }

  std::u32string_view reference_;
  Index columns_;
  std::u32string hypothesis_;
  std::vector<Cell> cells_;  // (hypothesis words + 1, columns_)
};

}  // namespace heed::inline HEED_ABI
