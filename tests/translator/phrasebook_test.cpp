// The demo's phrasebook keeps its promise: held-out pairs are new, but every part and every word of them is not.

#include <algorithm>
#include <map>
#include <set>
#include <sstream>

#include <heed/text/tokenizer.hpp>

#include "support/catch.hpp"
#include "translator/process.hpp"

using namespace translator_testing;

namespace {

struct Entry {
  std::string part, english, chinese, pattern, filler;
};

const std::vector<Entry>& entries() {
  static const std::vector<Entry> all = [] {
    std::vector<Entry> found;
    std::istringstream table(run({"demo", "--list"}).out);
    std::string line;
    std::getline(table, line);
    while (std::getline(table, line)) {
      std::istringstream fields(line);
      Entry entry;
      for (std::string* field : {&entry.part, &entry.english, &entry.chinese, &entry.pattern, &entry.filler}) {
        std::getline(fields, *field, '\t');
      }
      found.push_back(entry);
    }
    return found;
  }();
  return all;
}

std::vector<Entry> part(const std::string& name) {
  std::vector<Entry> found;
  for (const Entry& entry : entries()) {
    if (entry.part == name) found.push_back(entry);
  }
  return found;
}

}  // namespace

TEST_CASE("the phrasebook has more than 400 pairs and some fifty are held out", "[translator]") {
  CHECK(part("training").size() >= 400);
  CHECK(part("held out").size() >= 40);
  CHECK(part("training").size() + part("held out").size() == entries().size());
}

TEST_CASE("an English sentence has one translation", "[translator]") {
  std::map<std::string, std::string> known;
  for (const Entry& entry : entries()) {
    INFO(entry.english);
    CHECK(known.emplace(entry.english, entry.chinese).second);
  }
  CHECK(known["Hello, how are you?"] == "你好，你好吗？");
}

TEST_CASE("a held-out pair of template and filler is new, each of both is not", "[translator]") {
  std::set<std::string> patterns, fillers, pairs;
  for (const Entry& entry : part("training")) {
    patterns.insert(entry.pattern), fillers.insert(entry.filler), pairs.insert(entry.pattern + entry.filler);
    CHECK_FALSE((entry.english == "Hello, how are you?" && !entry.pattern.empty()));
  }
  for (const Entry& entry : part("held out")) {
    INFO(entry.english);
    CHECK_FALSE(entry.pattern.empty());
    CHECK(patterns.contains(entry.pattern));
    CHECK(fillers.contains(entry.filler));
    CHECK_FALSE(pairs.contains(entry.pattern + entry.filler));
  }
}

TEST_CASE("every word of the held-out part occurs in the training part", "[translator]") {
  const heed::Tokenizer english{heed::Language::english}, chinese{heed::Language::chinese};
  std::set<std::string> words;
  const auto tokens = [&](const Entry& entry) {
    std::vector<std::string> all = english.tokenize(entry.english);
    for (std::string& token : chinese.tokenize(entry.chinese)) all.push_back(std::move(token));
    return all;
  };
  for (const Entry& entry : part("training")) {
    for (std::string& token : tokens(entry)) words.insert(std::move(token));
  }
  for (const Entry& entry : part("held out")) {
    INFO(entry.english);
    for (const std::string& token : tokens(entry)) CHECK(words.contains(token));
  }
}
