#include <heed/models/unknown_words.hpp>

#include <vector>

#include "support/catch.hpp"

using heed::Index;

TEST_CASE("an unknown word takes the source position that it looked at most, the first among equals", "[models]") {
  const std::vector<float> weights = {0.1f, 0.2f, 0.6f, 0.1f,   //
                                      0.3f, 0.3f, 0.2f, 0.2f,   //
                                      0.1f, 0.1f, 0.2f, 0.6f};  // most to the end token, which is no word
  const heed::MatrixView<const float> rows(weights.data(), 3, 4);
  CHECK(heed::copied_positions<float>(std::vector<Index>{3, 3, 3}, 3, rows, 3) == std::vector<Index>{2, 0, 2});
  CHECK(heed::copied_positions<float>(std::vector<Index>{7, 3}, 3, rows, 3) == std::vector<Index>{-1, 0});
  CHECK(heed::copied_positions<float>(std::vector<Index>{3}, 3, rows, 0) == std::vector<Index>{-1});
  CHECK(heed::copied_positions<float>({}, 3, rows, 3).empty());
  CHECK_THROWS_WITH(heed::copied_positions<float>(std::vector<Index>(4, 3), 3, rows, 3),
                    "copied_positions: weights has 3 rows, wanted at least 4");
  CHECK_THROWS_WITH(heed::copied_positions<float>(std::vector<Index>{3}, 3, rows, 5),
                    "copied_positions: weights has 4 columns, wanted at least 5");
}
