#include "options.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>

#include <CLI/CLI.hpp>

#include <heed/core/quote.hpp>

#include "console.hpp"

namespace translator {
namespace {

constexpr Index most_threads = 1'000'000;  // cut to the work there is

[[noreturn]] void refuse(const std::string& option, const std::string& found, const std::string& wanted) {
  throw CLI::ValidationError(option, "found " + heed::quote(found) + ", wanted " + wanted);
}

template <class T>
bool read_whole(const std::string& text, T& value) {
  const auto result = std::from_chars(text.data(), text.data() + text.size(), value);
  return result.ec == std::errc{} && result.ptr == text.data() + text.size() && !text.empty();
}

std::string number_text(double value) {
  char buffer[40];
  const auto result = std::to_chars(buffer, buffer + sizeof buffer, value);
  return {buffer, result.ptr};
}

bool inside(double value, const RealRange& range) {
  if (!std::isfinite(value) || value < range.least || value > range.most) return false;
  if (range.ends == RealRange::Ends::open_below) return value > range.least;
  return range.ends == RealRange::Ends::closed || value < range.most;
}

std::string range_text(const RealRange& range) {
  using Ends = RealRange::Ends;
  const bool bounded = range.most < std::numeric_limits<double>::max();
  const std::string low = (range.ends == Ends::open_below ? "above " : "from ") + number_text(range.least);
  const std::string high = (range.ends == Ends::open_above ? " to below " : " to ") + number_text(range.most);
  return "a number " + low + (bounded ? high : "");
}

CLI::Option* add_number(CLI::App& app, OptionText text, std::function<void(const std::string&)> read,
                        const std::string& shown) {
  return app.add_option_function<std::string>(text.name, std::move(read), text.help)
      ->type_name("N")
      ->default_str(shown);
}

}  // namespace

CLI::Option* add_count(CLI::App& app, OptionText text, Index& value, CountRange range) {
  const auto read = [name = std::string(text.name), &value, range](const std::string& found) {
    Index number = 0;
    if (!read_whole(found, number) || number < range.least || number > range.most) {
      refuse(name, found, "a whole number from " + std::to_string(range.least) + " to " + std::to_string(range.most));
    }
    value = number;
  };
  return add_number(app, text, read, std::to_string(value));
}

CLI::Option* add_real(CLI::App& app, OptionText text, double& value, RealRange range) {
  const auto read = [name = std::string(text.name), &value, range](const std::string& found) {
    double number = 0;
    if (!read_whole(found, number) || !inside(number, range)) refuse(name, found, range_text(range));
    value = number;
  };
  return add_number(app, text, read, number_text(value))->type_name("X");
}

CLI::Option* add_seed(CLI::App& app, OptionText text, std::uint64_t& value) {
  const auto read = [name = std::string(text.name), &value](const std::string& found) {
    if (!read_whole(found, value)) refuse(name, found, "a whole number from 0 to 18446744073709551615");
  };
  return add_number(app, text, read, std::to_string(value));
}

CLI::Option* add_file(CLI::App& app, OptionText text, std::string& value) {
  const auto read = [name = std::string(text.name), &value](const std::string& found) {
    if (found.empty()) refuse(name, found, "the path of a file");
    value = found;
  };
  return app.add_option_function<std::string>(text.name, read, text.help)->type_name("FILE")->default_str(value);
}

CLI::Option* add_language(CLI::App& app, OptionText text, std::string& value) {
  const auto read = [name = std::string(text.name), &value](const std::string& found) {
    if (found != "en" && found != "fr" && found != "zh") refuse(name, found, "en, fr or zh");
    value = found;
  };
  return app.add_option_function<std::string>(text.name, read, text.help)->type_name("LANG")->default_str(value);
}

CLI::Option* add_architecture(CLI::App& app, OptionText text, Architecture& value) {
  const auto read = [name = std::string(text.name), &value](const std::string& found) {
    if (found != "gru" && found != "transformer") refuse(name, found, "gru or transformer");
    value = found == "gru" ? Architecture::gru : Architecture::transformer;
  };
  return app.add_option_function<std::string>(text.name, read, text.help)->type_name("NAME")->default_str("gru");
}

CLI::Option* add_positions(CLI::App& app, OptionText text, std::string& value) {
  const auto read = [name = std::string(text.name), &value](const std::string& found) {
    if (std::ranges::find(position_names, found) == position_names.end())
      refuse(name, found, "sinusoidal, learned, rotary, alibi or t5");
    value = found;
  };
  return app.add_option_function<std::string>(text.name, read, text.help)->type_name("NAME")->default_str(value);
}

CLI::Option* add_token_unit(CLI::App& app, OptionText text, heed::TokenUnit& value) {
  const auto read = [name = std::string(text.name), &value](const std::string& found) {
    if (found != "words" && found != "characters" && found != "bytes" && found != "bpe")
      refuse(name, found, "words, characters, bytes or bpe");
    value = heed::unit_from_name(found);
  };
  return app.add_option_function<std::string>(text.name, read, text.help)
      ->type_name("UNIT")
      ->default_str(std::string(heed::unit_name(value)));
}

CLI::Option* add_normalization(CLI::App& app, OptionText text, heed::Normalization& value) {
  const auto read = [name = std::string(text.name), &value](const std::string& found) {
    if (found != "none" && found != "nfkc") refuse(name, found, "none or nfkc");
    value = found == "nfkc" ? heed::Normalization::nfkc : heed::Normalization::none;
  };
  return app.add_option_function<std::string>(text.name, read, text.help)->type_name("FORM")->default_str("none");
}

CLI::Option* add_threads_option(CLI::App& app, Index& threads) {
  return add_count(app, {"--threads", "Threads to compute with; 0: one per CPU this process may use"}, threads,
                   {0, most_threads});
}

CLI::Option* add_text(CLI::App& app, OptionText text, std::function<bool(const std::string&)> read,
                      std::string wanted) {
  const auto take = [name = std::string(text.name), read = std::move(read),
                     wanted = std::move(wanted)](const std::string& found) {
    if (!read(found)) refuse(name, found, wanted);
  };
  return app.add_option_function<std::string>(text.name, take, text.help)->type_name("TEXT");
}

std::optional<double> real_number(const std::string& text) {
  double number = 0;
  if (!read_whole(text, number) || !std::isfinite(number)) return std::nullopt;
  return number;
}

CLI::Option* add_existing_file_option(CLI::App& app, ExistingFile& existing) {
  return app.add_flag_callback(
      "--no-clobber", [&existing] { existing = ExistingFile::refuse; }, "Refuse to replace a file that exists");
}

CLI::Option* add_bad_lines_option(CLI::App& app, BadText& bad) {
  return app.add_flag_callback(
      "--skip-bad", [&bad] { bad.lines = heed::BadLine::skip; },
      "Leave out lines that are no sentence pair, and say how many");
}

CLI::Option* add_bad_bytes_option(CLI::App& app, heed::InvalidUtf8& bad_bytes) {
  return app.add_flag_callback(
      "--replace-bad", [&bad_bytes] { bad_bytes = heed::InvalidUtf8::replace; },
      "Put U+FFFD for bytes that are no UTF-8, and say in how many lines");
}

namespace {

std::size_t edit_distance(const std::string& a, const std::string& b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = std::exchange(row[0], i);
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t change = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = std::exchange(row[j], std::min({change, row[j] + 1, row[j - 1] + 1}));
    }
  }
  return row.back();
}

std::string nearest(const std::string& wrong, const std::vector<std::string>& names) {
  constexpr std::size_t longest = 64;  // nothing longer is a typo of an option
  std::string best;
  std::size_t best_distance = wrong.size() <= longest ? std::max<std::size_t>(2, wrong.size() / 3) + 1 : 0;
  for (const std::string& name : names) {
    const std::size_t distance = best_distance == 0 ? 0 : edit_distance(wrong, name);
    if (distance < best_distance) {
      best_distance = distance;
      best = name;
    }
  }
  return best;
}

std::string unknown_argument_message(const CLI::App& app) {
  const std::vector<std::string> left = app.remaining(true);
  std::string wrong = left.empty() ? "" : left.front();
  if (const auto equals = wrong.find('='); wrong.starts_with("--") && equals != wrong.npos) wrong.erase(equals);
  const auto chosen = app.get_subcommands();
  const CLI::App& command = chosen.empty() ? app : *chosen.front();
  std::vector<std::string> names;
  if (wrong.starts_with("-")) {
    for (const CLI::Option* option : command.get_options()) {
      for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
    }
  } else if (chosen.empty()) {
    for (const CLI::App* each : app.get_subcommands([](const CLI::App*) { return true; }))
      names.push_back(each->get_name());
  }
  const std::string what = wrong.starts_with("-") ? "unknown option "
                           : chosen.empty()       ? "unknown command "
                                                  : "argument not wanted: ";
  const std::string best = nearest(wrong, names);
  std::string advice = best.empty() ? "" : "; did you mean " + best + "?";
  if (best.empty() && command.get_name() == "translate") advice = "; a text that begins with a dash goes after --";
  if (best.empty() && advice.empty())
    advice = "; see heed-translate " + (chosen.empty() ? "" : command.get_name() + " ") + "--help";
  return what + heed::quote(wrong) + advice;
}

/// CLI11's "--hidden: 1 required N missing" in words.
std::string mismatch_message(const std::string& found) {
  const std::string option = found.substr(0, found.find(':'));
  if (found.find("At Most") != found.npos) return option + " is given more than once";
  return found.find("missing") != found.npos ? option + " has no value" : found;
}

}  // namespace

std::string usage_message(const CLI::App& app, const CLI::ParseError& problem) {
  const bool extra = dynamic_cast<const CLI::ExtrasError*>(&problem) != nullptr;
  const bool missing = dynamic_cast<const CLI::RequiredError*>(&problem) != nullptr;
  const bool mismatch = dynamic_cast<const CLI::ArgumentMismatch*>(&problem) != nullptr;
  if ((extra || missing) && !app.remaining(true).empty()) return unknown_argument_message(app);
  if (missing && app.get_subcommands().empty()) return "wanted a command; see heed-translate --help";
  return mismatch ? mismatch_message(problem.what()) : problem.what();
}

}  // namespace translator
