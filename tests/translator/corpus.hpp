#pragma once
// A tiny corpus and the command lines that train on it in about a second.

#include "translator/process.hpp"

namespace translator_testing {

/// Sentences with a right translation: 12 subjects times `verbs` verbs, after this first word.
inline std::string tiny_corpus(std::size_t verbs, const std::string& first = "The") {
  const std::vector<std::string> english{"cats",  "dogs", "birds", "fish",  "men",  "women",
                                         "trees", "cars", "boats", "kings", "bees", "cows"};
  const std::vector<std::string> chinese{"猫", "狗", "鸟", "鱼",   "男人", "女人",
                                         "树", "车", "船", "国王", "蜜蜂", "牛"};
  const std::vector<std::string> doing{"sleep", "eat", "run", "sing", "fall", "wait", "come", "go"};
  const std::vector<std::string> doing_chinese{"睡觉", "吃饭", "跑步", "唱歌", "掉下来", "等一等", "来了", "走"};
  std::string text;
  for (std::size_t v = 0; v < verbs; ++v) {
    for (std::size_t s = 0; s < english.size(); ++s) {
      text += first + " " + english[s] + " " + doing[v] + ".\t" + chinese[s] + doing_chinese[v] + "。\n";
    }
  }
  return text;
}

/// A folder with train.tsv and valid.tsv.
struct Corpus : TempFolder {
  Corpus() {
    write_all(*this / "train.tsv", tiny_corpus(8));
    write_all(*this / "valid.tsv", tiny_corpus(2, "All"));
  }

  /// "train ... --model NAME.safetensors" with 96 pairs in 24 steps per epoch, and more arguments.
  std::vector<std::string> train(const std::string& name, std::vector<std::string> more) const {
    std::vector<std::string> all{"train",
                                 "--data",
                                 *this / "train.tsv",
                                 "--valid",
                                 *this / "valid.tsv",
                                 "--model",
                                 *this / (name + ".safetensors"),
                                 "--embedding",
                                 "12",
                                 "--hidden",
                                 "20",
                                 "--attention-units",
                                 "10",
                                 "--batch",
                                 "4",
                                 "--min-count",
                                 "1"};
    for (std::string& argument : more) all.push_back(std::move(argument));
    return all;
  }
  std::string model(const std::string& name) const { return *this / (name + ".safetensors"); }
};

}  // namespace translator_testing
