// The options that say how a translation is searched for: greedy, beam or sampling, what it may hold, how it is scored.

#include <array>
#include <limits>

#include <CLI/CLI.hpp>

#include <heed/core/quote.hpp>

#include "options.hpp"

namespace translator {
namespace {

constexpr Index most_beam = 1'000'000'000;  // cut to the vocabulary
constexpr Index longest = 10000;            // tokens
constexpr Index most_results = 4096;        // per sentence
constexpr double largest_weight = 100;      // of a penalty
constexpr double any = std::numeric_limits<double>::max();

template <class Kind>
struct Named {
  const char* name;
  Kind kind;
};

/// "gnmt:0.2", or "gnmt" with the weight that is there; the first name takes no weight.
template <class Kind, std::size_t count>
bool read_penalty(const std::string& found, const std::array<Named<Kind>, count>& names, Kind& kind, double& weight) {
  const std::size_t colon = found.find(':');
  const std::string name = found.substr(0, colon);
  for (const Named<Kind>& each : names) {
    if (name != each.name) continue;
    kind = each.kind;
    if (colon == found.npos) return true;
    const std::optional<double> number = real_number(found.substr(colon + 1));
    if (!number || *number < 0 || *number > largest_weight || each.kind == names.front().kind) return false;
    weight = *number;
    return true;
  }
  return false;
}

void add_penalty_options(CLI::App& app, DecodeOptions& options) {
  using Length = heed::LengthPenalty;
  using Coverage = heed::CoveragePenalty;
  static constexpr std::array<Named<Length>, 4> lengths{
      {{"none", Length::none}, {"power", Length::power}, {"gnmt", Length::gnmt}, {"reward", Length::word_reward}}};
  static constexpr std::array<Named<Coverage>, 3> coverages{
      {{"none", Coverage::none}, {"gnmt", Coverage::gnmt}, {"summary", Coverage::summary}}};
  add_text(
      app,
      {"--length-penalty",
       "How lengths enter a score: none, power:A (log-probability / length^A), gnmt:A (/ ((5 + length) / 6)^A), "
       "reward:A (+ A per token)"},
      [&options](const std::string& found) {
        return read_penalty(found, lengths, options.length_penalty, options.alpha);
      },
      "none, power:A, gnmt:A or reward:A with A from 0 to 100")
      ->type_name("NAME:A")
      ->default_str("power:0.6");
  add_text(
      app,
      {"--coverage-penalty",
       "What source words cost that got too little attention (gnmt:B) or too much (summary:B), or none"},
      [&options](const std::string& found) {
        return read_penalty(found, coverages, options.coverage_penalty, options.beta);
      },
      "none, gnmt:B or summary:B with B from 0 to 100")
      ->type_name("NAME:B")
      ->default_str("none");
}

void add_sampling_options(CLI::App& app, DecodeOptions& options, CLI::Option* beam) {
  CLI::Option* const sample =
      app.add_flag("--sample", options.sample, "Draw every token instead of searching for the best");
  sample->excludes(beam);
  heed::SamplingOptions& sampling = options.sampling;
  add_real(app, {"--temperature", "Divides logits before a draw: below 1 safer, above 1 bolder"}, sampling.temperature,
           {0, any, RealRange::Ends::open_below})
      ->needs(sample);
  add_count(app, {"--top-k", "Draw among this many likeliest tokens; 0: all"}, sampling.top_k, {0, most_beam})
      ->needs(sample);
  add_real(app, {"--top-p", "Draw among the likeliest tokens that hold this probability"}, sampling.top_p,
           {0, 1, RealRange::Ends::open_below})
      ->needs(sample);
  add_seed(app, {"--seed", "Of the draws; a line's also depend on its place in the input, and on nothing else"},
           sampling.seed)
      ->needs(sample);
}

void add_rule_options(CLI::App& app, DecodeOptions& options) {
  heed::TokenRules& rules = options.rules;
  add_count(app, {"--min-length", "Shortest translation in tokens, the end counted"}, rules.min_length, {0, longest});
  add_real(app, {"--min-length-ratio", "The same, times the source's tokens"}, rules.min_length_ratio, {0, 1000});
  add_real(app, {"--max-length-ratio", "Longest translation, times the source's tokens; 0: --max-length alone"},
           rules.max_length_ratio, {0, 1000});
  add_count(app, {"--no-repeat-ngram", "No sequence of this many tokens twice; 0: any"}, rules.no_repeat_ngram,
            {0, longest});
  add_real(app, {"--repetition-penalty", "Divides positive logits of tokens that are there already, multiplies others"},
           rules.repetition_penalty, {0, any, RealRange::Ends::open_below});
  app.add_option("--ban", options.banned, "A word or phrase that no translation holds; may be given several times")
      ->type_name("TEXT")
      ->allow_extra_args(false);
  const auto begin = [&options](const std::string& found) {
    options.prefix = found;
    return !found.empty();
  };
  add_text(app, {"--prefix", "What every translation begins with"}, begin, "words of the target language");
  app.add_flag("--replace-unknown", options.replace_unknown,
               "Where the model has no word, copy the source word that it looks at");
}

}  // namespace

void add_decode_options(CLI::App& app, DecodeOptions& options) {
  CLI::Option* const beam =
      add_count(app, {"--beam", "Sentences that beam search keeps; 1: greedy"}, options.beam, {1, most_beam});
  add_count(app, {"--max-length", "Longest translation in tokens"}, options.max_length, {1, longest});
  add_penalty_options(app, options);
  add_rule_options(app, options);
  add_sampling_options(app, options, beam);
  add_count(app, {"--batch", "Sentences translated side by side; changes no translation"}, options.batch, {1, 4096});
  add_threads_option(app, options.threads);
}

CLI::Option* add_n_best_option(CLI::App& app, DecodeOptions& options) {
  return add_count(app, {"--n-best", "Translations per sentence, each as: line ||| translation ||| score"},
                   options.n_best, {1, most_results});
}

void check_decode_options(const DecodeOptions& options) {
  const auto refuse = [](const char* option, const std::string& found, const std::string& wanted) {
    throw UsageError(option + (": found " + heed::quote(found)) + ", wanted " + wanted);
  };
  if (!options.sample && options.n_best > options.beam) {
    refuse("--n-best", std::to_string(options.n_best),
           "at most --beam " + std::to_string(options.beam) + ", or --sample");
  }
  for (const std::string& phrase : options.banned) {
    if (phrase.empty()) refuse("--ban", phrase, "a word or phrase");
  }
  const heed::TokenRules& rules = options.rules;
  if (rules.min_length > options.max_length) {
    refuse("--min-length", std::to_string(rules.min_length),
           "at most --max-length " + std::to_string(options.max_length));
  }
  if (rules.max_length_ratio > 0 && rules.min_length_ratio > rules.max_length_ratio) {
    throw UsageError("--min-length-ratio is larger than --max-length-ratio");
  }
}

}  // namespace translator
