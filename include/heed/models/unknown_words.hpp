#pragma once
// Unknown-word replacement: where a model writes that it has no word, the source word that it looked at most is copied.
//   S. Jean et al., "On Using Very Large Target Vocabulary for Neural Machine Translation", 2015.

#include <span>
#include <string>
#include <vector>

#include <heed/core/check.hpp>
#include <heed/core/view.hpp>
#include <heed/simd/row.hpp>

namespace heed::inline HEED_ABI {

/// tokens (size), weights (at least size rows, source_length): where each token looked -> for every token that is
/// `unknown` the source position that its row has most of, the lowest among equals; -1 for the others. Only the first
/// `source_words` positions count, so that an end token is never copied; -1 too where there is none. Throws heed::Error
/// for shapes that do not fit.
template <class T>
std::vector<Index> copied_positions(std::span<const Index> tokens, Index unknown, MatrixView<const T> weights,
                                    Index source_words) {
  const auto check_size = [](const char* what, Index found, Index least) {
    check(found >= least, [&] {
      return std::string("copied_positions: weights has ") + std::to_string(found) + " " + what + ", wanted at least " +
             std::to_string(least);
    });
  };
  check_size("rows", weights.rows, static_cast<Index>(tokens.size()));
  check_size("columns", weights.cols, source_words);
  std::vector<Index> positions;
  for (std::size_t t = 0; t < tokens.size(); ++t) {
    const bool copied = tokens[t] == unknown && source_words > 0;
    positions.push_back(copied ? index_of_maximum(weights.row(static_cast<Index>(t)), source_words) : Index{-1});
  }
  return positions;
}

}  // namespace heed::inline HEED_ABI
