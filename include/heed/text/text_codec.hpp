#pragma once
// Sentences to token ids and back: one side of a translator. A checkpoint stores a codec as its name, its merges and
// its vocabulary's tokens, so a model file is enough to translate.

#include <algorithm>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include <heed/text/byte_pair_encoding.hpp>
#include <heed/text/corpus.hpp>
#include <heed/text/normalize.hpp>
#include <heed/text/tokenizer.hpp>
#include <heed/text/vocabulary.hpp>

namespace heed::inline HEED_ABI {

/// What is done to a sentence before it is cut.
enum class Normalization { none, nfkc };

/// How a codec's sentences become tokens. A plain value; a name and the merges restore it.
struct TextRules {
  Tokenizer tokenizer;
  Normalization normalization = Normalization::none;
  BytePairEncoding merges = {};  // of TokenUnit::byte_pairs

  /// "en", "zh bpe", "fr characters nfkc"
  std::string name() const { return tokenizer.name() + (normalization == Normalization::nfkc ? " nfkc" : ""); }
  /// The rules with this name, still without merges. Throws Error for any other.
  static TextRules from_name(std::string_view name) {
    constexpr std::string_view suffix = " nfkc";
    TextRules rules;
    if (name.ends_with(suffix)) {
      rules.normalization = Normalization::nfkc;
      name.remove_suffix(suffix.size());
    }
    rules.tokenizer = Tokenizer::from_name(name);
    return rules;
  }

  /// The words of a sentence before merges cut them. Throws Error for invalid UTF-8.
  std::vector<std::string> words(std::string_view sentence) const {
    return tokenizer.tokenize(normalization == Normalization::nfkc ? nfkc(sentence) : std::string(sentence));
  }
  bool operator==(const TextRules&) const = default;
};

/// How often each word of one side of pairs is seen: what merges are learned from.
inline TokenCounts count_words(const TextRules& rules, std::span<const SentencePair> pairs,
                               std::string SentencePair::*side) {
  TokenCounts counts;
  for (const SentencePair& pair : pairs) counts.add(rules.words(pair.*side));
  return counts;
}

/// Sentences to ids and back. A plain value.
struct TextCodec {
  TextRules rules = {};
  Vocabulary vocabulary = {};

  /// The ids of words, for a caller that encodes many sentences.
  using Cache = std::unordered_map<std::string, std::vector<Index>>;

  /// With the vocabulary of one side of training pairs: TextCodec::build({{Language::english}}, pairs,
  /// &SentencePair::source). Of byte pairs the pieces that are too rare are cut further, those that dropout will make
  /// are counted too. Bytes have all 256, whatever the options.
  static TextCodec build(TextRules rules, std::span<const SentencePair> pairs, std::string SentencePair::*side,
                         const VocabularyOptions& options = {}, const BytePairDropout& dropout = {}) {
    TextCodec codec{std::move(rules), {}};
    if (codec.unit() == TokenUnit::bytes) {
      codec.vocabulary = byte_vocabulary();
      return codec;
    }
    const TokenCounts words = count_words(codec.rules, pairs, side);
    if (codec.unit() != TokenUnit::byte_pairs) {
      codec.vocabulary = Vocabulary(words, options);
      return codec;
    }
    codec.vocabulary = Vocabulary(codec.count_pieces(words, {}, dropout), options);
    const Vocabulary frequent = codec.vocabulary;
    codec.vocabulary = Vocabulary(codec.count_pieces(words, {.vocabulary = &frequent}, dropout), options);
    return codec;
  }

  /// The codec of rules and tokens that belong together. Throws Error for a vocabulary that the rules cannot have made.
  static TextCodec restore(TextRules rules, Vocabulary vocabulary) {
    TextCodec codec{std::move(rules), std::move(vocabulary)};
    if (codec.unit() == TokenUnit::bytes)
      check(codec.vocabulary == byte_vocabulary(), [] { return "TextCodec: the vocabulary is not that of bytes"; });
    if (codec.unit() != TokenUnit::byte_pairs) return codec;
    for (Index id = special_count; id < codec.vocabulary.size(); ++id) {
      const std::string& piece = codec.vocabulary.token(id);
      check(codec.rules.merges.makes(piece), [&] {
        return "TextCodec: the merges are of another vocabulary: none of them makes " + quote(piece) + ", token " +
               std::to_string(id);
      });
    }
    return codec;
  }

  TokenUnit unit() const { return rules.tokenizer.unit; }
  Language language() const { return rules.tokenizer.language; }

  /// The tokens of a sentence. Throws Error for invalid UTF-8.
  std::vector<std::string> tokenize(std::string_view sentence) const { return tokenize(sentence, BytePairDropout{}); }
  std::vector<std::string> tokenize(std::string_view sentence, BytePairDropout dropout) const {
    std::vector<std::string> words = rules.words(sentence);
    if (unit() != TokenUnit::byte_pairs) return words;
    std::vector<std::string> pieces;
    for (std::size_t i = 0; i < words.size(); ++i) {
      dropout.word = static_cast<Index>(i);
      for (std::string& piece : rules.merges.segment(words[i], {.vocabulary = &vocabulary, .dropout = &dropout}))
        pieces.push_back(std::move(piece));
    }
    return pieces;
  }

  /// A sentence's ids, without <s> and </s>. Throws Error for invalid UTF-8.
  std::vector<Index> encode(std::string_view sentence) const { return vocabulary.encode(tokenize(sentence)); }
  std::vector<Index> encode(std::string_view sentence, const BytePairDropout& dropout) const {
    return vocabulary.encode(tokenize(sentence, dropout));
  }
  std::vector<Index> encode(std::string_view sentence, Cache& cache) const {
    if (unit() != TokenUnit::byte_pairs) return encode(sentence);
    std::vector<Index> ids;
    for (const std::string& word : rules.words(sentence)) {
      const auto [entry, fresh] = cache.try_emplace(word);
      if (fresh) entry->second = vocabulary.encode(rules.merges.segment(word, {.vocabulary = &vocabulary}));
      ids.insert(ids.end(), entry->second.begin(), entry->second.end());
    }
    return ids;
  }
  /// The sentence of ids, special symbols left out. Throws Error for an id outside the vocabulary.
  std::string decode(std::span<const Index> ids) const { return detokenize(vocabulary.decode(ids)); }
  /// The sentence of tokens, which need not be in the vocabulary.
  std::string detokenize(const std::vector<std::string>& tokens) const {
    return rules.tokenizer.detokenize(unit() == TokenUnit::byte_pairs ? join_pieces(tokens) : tokens);
  }

 private:
  static Vocabulary byte_vocabulary() {
    std::vector<std::string> tokens(std::begin(special_symbols), std::end(special_symbols));
    for (unsigned byte = 0; byte < 256; ++byte) tokens.push_back(detail::byte_token(static_cast<unsigned char>(byte)));
    return Vocabulary(std::move(tokens));
  }

  /// Pieces of words that are seen so often; with dropout also those of some ways to cut each.
  TokenCounts count_pieces(const TokenCounts& words, SegmentOptions options, BytePairDropout dropout) const {
    constexpr Index most_ways = 16;
    TokenCounts pieces;
    const std::vector<std::string> all = words.most_frequent(1);
    for (std::size_t i = 0; i < all.size(); ++i) {
      options.dropout = nullptr;
      for (const std::string& piece : rules.merges.segment(all[i], options)) pieces.add(piece, words.of(all[i]));
      options.dropout = &dropout;
      dropout.sentence = static_cast<Index>(i);
      const Index ways = dropout.rate > 0 ? std::min(words.of(all[i]), most_ways) : 0;
      for (dropout.word = 0; dropout.word < ways; ++dropout.word)
        for (const std::string& piece : rules.merges.segment(all[i], options)) pieces.add(piece, 1);
    }
    return pieces;
  }
};

/// What a pair gets of which a side has more than max_tokens tokens.
enum class LongSentence { drop, cut };

struct EncodeOptions {
  Index max_tokens = 49;  // a side's, without <s> and </s>
  LongSentence long_sentence = LongSentence::drop;
};

/// Pairs as ids, and what a caller should say once about them.
struct EncodedText {
  std::vector<EncodedPair> pairs;
  Index dropped = 0, cut = 0;                    // pairs that were too long
  Index source_unknown = 0, target_unknown = 0;  // tokens that are <unk>
  std::vector<std::size_t> places;               // of each pair among the given ones

  /// What an epoch reads and predicts: all tokens and one </s> a sentence.
  Index tokens() const {
    Index count = 0;
    for (const EncodedPair& pair : pairs) count += static_cast<Index>(pair.source.size() + pair.target.size() + 2);
    return count;
  }
};

struct DropoutEncodeOptions {
  BytePairDropout dropout = {};  // its sentence and word are set for each
  Index max_tokens = 49;
};

/// Pairs to ids. Throws Error for max_tokens < 1 and for invalid UTF-8.
inline EncodedText encode_pairs(std::span<const SentencePair> pairs, const TextCodec& source, const TextCodec& target,
                                const EncodeOptions& options = {}) {
  check(options.max_tokens >= 1,
        [&] { return "encode_pairs: max_tokens is " + std::to_string(options.max_tokens) + ", wanted at least 1"; });
  const auto limit = static_cast<std::size_t>(options.max_tokens);
  EncodedText text;
  TextCodec::Cache source_words, target_words;
  for (std::size_t place = 0; place < pairs.size(); ++place) {
    EncodedPair ids{source.encode(pairs[place].source, source_words), target.encode(pairs[place].target, target_words)};
    if (std::max(ids.source.size(), ids.target.size()) > limit) {
      if (options.long_sentence == LongSentence::drop) {
        ++text.dropped;
        continue;
      }
      ++text.cut;
      ids.source.resize(std::min(limit, ids.source.size()));
      ids.target.resize(std::min(limit, ids.target.size()));
    }
    text.source_unknown += std::count(ids.source.begin(), ids.source.end(), unknown_id);
    text.target_unknown += std::count(ids.target.begin(), ids.target.end(), unknown_id);
    text.pairs.push_back(std::move(ids));
    text.places.push_back(place);
  }
  return text;
}

/// The pairs of `text`, which encode_pairs() made of these, cut anew with dropout: what one epoch trains on. The bits
/// are those of (seed, offset) at the pair's place; a pair that would become longer than max_tokens stays as it is.
inline std::vector<EncodedPair> encode_with_dropout(const EncodedText& text, std::span<const SentencePair> pairs,
                                                    const TextCodec& source, const TextCodec& target,
                                                    const DropoutEncodeOptions& options) {
  const auto limit = static_cast<std::size_t>(options.max_tokens);
  std::vector<EncodedPair> result = text.pairs;
  for (std::size_t i = 0; i < result.size(); ++i) {
    const SentencePair& pair = pairs[text.places[i]];
    BytePairDropout dropout = options.dropout;
    dropout.sentence = static_cast<Index>(2 * text.places[i]);
    EncodedPair ids{source.encode(pair.source, dropout), {}};
    ++dropout.sentence;
    ids.target = target.encode(pair.target, dropout);
    if (std::max(ids.source.size(), ids.target.size()) <= limit) result[i] = std::move(ids);
  }
  return result;
}

}  // namespace heed::inline HEED_ABI
