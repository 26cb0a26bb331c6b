#include <heed/models/gru_seq2seq_decoder.hpp>

#include <heed/models/generate.hpp>
#include "models/translation_testing.hpp"
#include "support/catch.hpp"
#include "support/tolerance.hpp"

namespace {

using heed::Index;

using heed::DecoderAttention;
using heed::ReadoutKind;

heed::GruSeq2Seq<float> make_model(ReadoutKind readout, DecoderAttention attention = DecoderAttention::bahdanau) {
  heed::Rng rng{3, 0};
  return {{.source_vocab = 40,
           .target_vocab = 40,
           .embedding_dim = 12,
           .hidden_dim = 20,
           .attention = attention,
           .readout = readout},
          rng};
}

}  // namespace

TEST_CASE("a forced step gives the logits of the teacher-forced pass", "[models]") {
  const auto attention = GENERATE(DecoderAttention::bahdanau, DecoderAttention::luong_dot, DecoderAttention::luong_general,
                                  DecoderAttention::luong_concat);
  const auto model = make_model(attention == DecoderAttention::bahdanau ? ReadoutKind::state : ReadoutKind::deep, attention);
  const auto batch = heed_test::random_batch({6, 3, 4}, {5, 5, 5}, 40, 4);
  const auto scores = model.score(batch);
  const auto encoded = model.encode(batch.source, batch.source_lengths);
  heed::Serial serial;
  const heed::PackedGruSeq2Seq<float> packed(model);
  heed::GruSeq2SeqDecoder<float> decoder(model, encoded), packed_decoder(model, encoded, serial, &packed);
  for (Index t = 0; t < 5; ++t) {
    std::vector<Index> tokens;
    for (Index b = 0; b < 3; ++b) tokens.push_back(batch.target_input(b, t));
    const auto logits = decoder.step(tokens), same = packed_decoder.step(tokens);
    for (Index b = 0; b < 3; ++b) {
      for (Index v = 0; v < 40; ++v) CHECK(heed_test::same_bits(logits(b, v), scores.logits(b, t, v)));
      for (Index v = 0; v < 40; ++v) CHECK(heed_test::same_bits(same(b, v), scores.logits(b, t, v)));
      for (Index j = 0; j < 6; ++j) CHECK(heed_test::same_bits(decoder.weights()(b, j), scores.weights(b, t, j)));
    }
  }
}

TEST_CASE("translating one sentence and many gives the same tokens and scores", "[models]") {
  const auto model = make_model(ReadoutKind::state);
  std::vector<Index> lengths;
  for (Index b = 0; b < 33; ++b) lengths.push_back(1 + b * 7 % 12);
  const auto batch = heed_test::random_batch(lengths, lengths, 40, 4);
  const heed::GenerateOptions options{.max_length = 15, .suppressed = {0, 1, 3}, .beam = 4, .n_best = 2};
  const auto encoded = model.encode(batch.source, batch.source_lengths);
  heed::GruSeq2SeqDecoder<float> beam_decoder(model, encoded), greedy_decoder(model, encoded);
  const auto beams = heed::beam_search(beam_decoder, options);
  const auto greedy = heed::greedy(greedy_decoder, options);
  for (Index b = 0; b < 33; ++b) {
    const auto pair = heed_test::pair_of(batch, b, 14, lengths[static_cast<std::size_t>(b)]);
    heed::Serial serial;
    const auto one = model.encode(pair.source, pair.source_lengths, serial);
    heed::GruSeq2SeqDecoder<float> one_beam(model, one, serial), one_greedy(model, one, serial);
    const auto alone = heed::beam_search(one_beam, options)[0];
    const auto& together = beams[static_cast<std::size_t>(b)];
    REQUIRE(alone.size() == together.size());
    for (std::size_t k = 0; k < alone.size(); ++k) {
      CHECK(alone[k].tokens == together[k].tokens);
      CHECK(heed_test::same_bits(alone[k].log_prob, together[k].log_prob));
    }
    const auto greedy_alone = heed::greedy(one_greedy, options)[0];
    CHECK(greedy_alone.tokens == greedy[static_cast<std::size_t>(b)].tokens);
    CHECK(alone[0].score >= greedy_alone.log_prob / heed::length_penalty(options, static_cast<Index>(greedy_alone.tokens.size())) - 1e-6);
  }
}

TEST_CASE("greedy tokens are those of greedy search, packed or not, one sentence or many", "[models]") {
  const auto readout = GENERATE(ReadoutKind::state, ReadoutKind::deep);
  const auto model = make_model(readout);
  const heed::PackedGruSeq2Seq<float> packed(model);
  std::vector<Index> lengths;
  for (Index b = 0; b < 12; ++b) lengths.push_back(1 + b * 7 % 12);
  const auto batch = heed_test::random_batch(lengths, lengths, 40, 8);
  const heed::GenerateOptions options{.max_length = 15, .suppressed = {0, 1, 3}};
  const auto encoded = model.encode(batch.source, batch.source_lengths);
  heed::GruSeq2SeqDecoder<float> scored(model, encoded), plain(model, encoded);
  const auto wanted = heed::greedy(scored, options);
  const auto tokens = heed::greedy_tokens(plain, options);
  for (Index b = 0; b < 12; ++b) {
    const auto pair = heed_test::pair_of(batch, b, 12, lengths[static_cast<std::size_t>(b)]);
    const auto one = model.encode(pair.source, pair.source_lengths, heed::default_executor(), &packed.encoder);
    heed::GruSeq2SeqDecoder<float> alone(model, one, heed::default_executor(), &packed);
    CHECK(tokens[static_cast<std::size_t>(b)] == wanted[static_cast<std::size_t>(b)].tokens);
    CHECK(heed::greedy_tokens(alone, options)[0] == wanted[static_cast<std::size_t>(b)].tokens);
  }
}

TEST_CASE("reorder moves rows, repeats them and drops them", "[models]") {
  const auto model = make_model(ReadoutKind::state);
  const auto batch = heed_test::random_batch({6, 3}, {2, 2}, 40, 4);
  const auto encoded = model.encode(batch.source, batch.source_lengths);
  heed::GruSeq2SeqDecoder<float> decoder(model, encoded), plain(model, encoded);
  const std::vector<Index> tokens = {1, 1}, parents = {1, 1, 0}, next = {5, 6, 5};
  decoder.step(tokens);
  decoder.reorder(parents);
  const auto logits = decoder.step(next);
  plain.step(tokens);
  const auto expected = plain.step(std::vector<Index>{5, 5});
  for (Index v = 0; v < 40; ++v) {
    CHECK(heed_test::same_bits(logits(0, v), expected(1, v)));
    CHECK(heed_test::same_bits(logits(2, v), expected(0, v)));
  }
  CHECK_THROWS_AS(decoder.step(tokens), heed::Error);
}
