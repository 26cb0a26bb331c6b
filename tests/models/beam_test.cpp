#include <heed/models/beam.hpp>

#include <vector>

#include <heed/models/generate.hpp>
#include "support/catch.hpp"

using heed::Index;

TEST_CASE("equal scores go by the token list", "[models]") {
  class Flat {  // every token is as likely as every other, always
   public:
    Index vocab_size() const { return 5; }
    Index rows() const { return rows_; }
    void reorder(std::span<const Index> parents) { rows_ = static_cast<Index>(parents.size()); }
    heed::MatrixView<double> step(std::span<const Index>) {
      logits_.assign(static_cast<std::size_t>(rows_) * 5, 0.0);
      return {logits_.data(), rows_, 5};
    }

   private:
    Index rows_ = 1;
    std::vector<double> logits_;
  } decoder;
  const auto found = heed::beam_search(decoder, {.bos = 0, .eos = 4, .max_length = 2, .suppressed = {0}, .beam = 3, .n_best = 3,
                                                 .length_penalty = heed::LengthPenalty::none});
  REQUIRE(found[0].size() == 3);
  CHECK(found[0][0].tokens == std::vector<Index>{4});  // one token of four beats two
  CHECK(found[0][1].tokens == std::vector<Index>{1, 1});
  CHECK(found[0][2].tokens == std::vector<Index>{1, 2});
}

TEST_CASE("a hypothesis that ends leaves the beam, and the search ends when no live one can win", "[models]") {
  const heed::GenerateOptions options{.bos = 0, .eos = 1, .max_length = 4, .suppressed = {0}, .beam = 2,
                                      .length_penalty = heed::LengthPenalty::none};
  heed::detail::Beam beam(options);
  CHECK(beam.live() == 1);
  CHECK(beam.last_token(0) == 0);
  std::vector<double> logits = {0, 5, 4, 3, 2};  // the end token first: final at once, and nothing can beat it
  std::vector<Index> parents;
  beam.advance(heed::MatrixView<double>(logits.data(), 1, 5), 0, parents);
  CHECK(beam.live() == 0);
  CHECK(parents.empty());
  const auto found = std::move(beam).results();
  REQUIRE(found.size() == 1);
  CHECK(found[0].tokens == std::vector<Index>{1});
}

TEST_CASE("a beam's rows name their parents among all rows", "[models]") {
  const heed::GenerateOptions options{.bos = 0, .eos = 1, .max_length = 4, .suppressed = {0, 1 + 3}, .beam = 2};
  heed::detail::Beam beam(options);
  std::vector<double> logits = {0, -50, 4, 3, 2, 0, -50, 1, 0, 0};
  std::vector<Index> parents;
  beam.advance(heed::MatrixView<double>(logits.data(), 2, 5), 1, parents);  // this beam's row is row 1
  CHECK(parents == std::vector<Index>{1, 1});
  CHECK(beam.last_token(0) == 2);
  CHECK(beam.last_token(1) == 3);
}
