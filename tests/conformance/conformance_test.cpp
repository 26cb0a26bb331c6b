// heed-conformance from outside: our own golden set passes, anything wrong in it is found, wrong usage is told.

#include <cstdint>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <iostream>
#include <string>
#include <vector>

#include <sys/wait.h>

#include <nlohmann/json.hpp>

#include "io/temp_folder.hpp"
#include "support/catch.hpp"

namespace fs = std::filesystem;
using heed_test::read_bytes;
using heed_test::TempFolder;
using heed_test::write_bytes;

namespace {

struct Outcome {
  int exit_code = -1;
  std::string text;
  bool says(const std::string& part) const { return text.find(part) != std::string::npos; }
};

Outcome run_with(const std::string& arguments) {
  Outcome outcome;
  FILE* pipe = ::popen((std::string("\"") + HEED_CONFORMANCE_BINARY + "\" " + arguments + " 2>&1").c_str(), "r");
  REQUIRE(pipe != nullptr);
  char buffer[4096];
  for (std::size_t got = 0; (got = std::fread(buffer, 1, sizeof buffer, pipe)) > 0;) outcome.text.append(buffer, got);
  const int status = ::pclose(pipe);
  outcome.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  return outcome;
}
Outcome run(const fs::path& folder) { return run_with("\"" + folder.string() + "\""); }

const fs::path own_set = fs::path(HEED_TEST_FIXTURES) / "golden";

std::vector<fs::path> cases_of(const fs::path& set) {
  std::vector<fs::path> cases;
  for (const auto& entry : fs::recursive_directory_iterator(set)) {
    if (entry.path().extension() == ".json" && entry.path().filename() != "index.json") cases.push_back(entry.path());
  }
  return cases;
}

/// A copy of one case of our own set, alone in a folder.
class OneCase {
 public:
  explicit OneCase(const std::string& name) : file_(folder_ / fs::path(name).filename().string()) {
    for (const char* extension : {".json", ".safetensors"}) {
      if (fs::exists(own_set / (name + extension))) fs::copy(own_set / (name + extension), path(extension));
    }
  }
  fs::path path(const std::string& extension) const { return fs::path(file_.string() + extension); }
  nlohmann::json json() const { return nlohmann::json::parse(read_bytes(path(".json"))); }
  void write(const nlohmann::json& json) const { write_bytes(path(".json"), json.dump()); }
  Outcome outcome() const { return run(folder_.path()); }

 private:
  TempFolder folder_;
  fs::path file_;
};

/// Adds 1 to the number of type T at `at`.
template <class T>
void add_one(std::string& bytes, std::size_t at) {
  T number;
  std::memcpy(&number, bytes.data() + at, sizeof number);
  number += 1;
  std::memcpy(bytes.data() + at, &number, sizeof number);
}

/// Changes the first number of one tensor.
void corrupt(const fs::path& file, const std::string& tensor) {
  std::string bytes = read_bytes(file);
  const auto length =
      static_cast<std::size_t>(static_cast<unsigned char>(bytes[0]) + 256 * static_cast<unsigned char>(bytes[1]));
  const auto info = nlohmann::json::parse(bytes.substr(8, length)).at(tensor);
  const std::string dtype = info.at("dtype");
  const std::size_t at = 8 + length + info.at("data_offsets")[0].get<std::size_t>();
  if (dtype == "F64") add_one<double>(bytes, at);
  if (dtype == "F32") add_one<float>(bytes, at);
  if (dtype == "I64") add_one<std::int64_t>(bytes, at);
  write_bytes(file, bytes);
}

}  // namespace

TEST_CASE("every case of our own set passes, with an index and without, and group by group", "[conformance]") {
  const std::size_t count = cases_of(own_set).size();
  const Outcome whole = run(own_set);
  INFO(whole.text);
  CHECK(whole.exit_code == 0);
  CHECK(whole.says("\n" + std::to_string(count) + " passed, 0 failed\n"));
  CHECK(count >= 20);

  const TempFolder copy;
  fs::copy(own_set, copy / "set", fs::copy_options::recursive);
  fs::remove(copy / "set" / "index.json");
  write_bytes(copy / "set" / "settings.json", R"({"seed": 1})");  // lies beside the groups and is no case
  CHECK(run(copy / "set").says("\n" + std::to_string(count) + " passed, 0 failed\n"));
  CHECK(run(own_set / "linear").says("\n2 passed, 0 failed\n"));
  CHECK(run(fs::path(own_set / "linear" / "")).exit_code == 0);
}

TEST_CASE("one wrong number in any expected tensor fails its case", "[conformance]") {
  for (const fs::path& path : cases_of(own_set)) {
    const std::string name = fs::relative(path, own_set).replace_extension().string();
    const auto original = nlohmann::json::parse(read_bytes(path));
    if (!original.contains("tensors")) continue;
    for (const auto& [tensor, info] : original["tensors"].items()) {
      if (info["role"] != "output" && info["role"] != "grad") continue;
      const OneCase one(name);
      corrupt(one.path(".safetensors"), tensor);
      const Outcome outcome = one.outcome();
      INFO(name << ", " << tensor << "\n" << outcome.text);
      CHECK(outcome.exit_code == 1);
      CHECK(outcome.says("FAILED       " + name));
      CHECK(outcome.says("(" + tensor));
      CHECK(outcome.says("\n0 passed, 1 failed\n"));
    }
  }
}

TEST_CASE("one wrong number in a case without tensors fails it", "[conformance]") {
  const auto check_change = [](const std::string& name, const nlohmann::json::json_pointer& place,
                               const nlohmann::json& value) {
    const OneCase one(name);
    auto json = one.json();
    json.at(place) = value;
    one.write(json);
    const Outcome outcome = one.outcome();
    INFO(place.to_string() << "\n" << outcome.text);
    CHECK(outcome.exit_code == 1);
    CHECK(outcome.says("FAILED       " + name));
  };
  using Place = nlohmann::json::json_pointer;
  for (const char* place :
       {"/bleu_corpus/0/score", "/bleu_corpus/0/counts/1", "/bleu_corpus/0/totals/0", "/bleu_corpus/0/bp",
        "/bleu_corpus/0/precisions/3", "/bleu_corpus/0/sys_len", "/bleu_corpus/0/ref_len", "/bleu_sentence/0/scores/2",
        "/chrf/0/score", "/chrf/0/sentence_scores/0", "/ter/0/score"}) {
    check_change("bleu/three_lines", Place(place), 12.5);
  }
  check_change("bleu/three_lines", Place("/bleu_corpus/0/signature"), "nrefs:2");
  check_change("bleu/three_lines", Place("/tokenized/13a/refs/1/2"), "short lines");
  check_change("bleu/three_lines", Place("/tokenized/13a/hyp"), nlohmann::json::array());
  for (const char* place :
       {"/n_best/2/score", "/n_best/1/log_prob", "/n_best/0/tokens/0", "/best_of_all_sequences/score"}) {
    check_change("decoding/beam", Place(place), 99);
  }
}

TEST_CASE("a tensor or a field that nobody compares fails its case", "[conformance]") {
  const OneCase tensors("linear/two_axes_f64");
  auto json = tensors.json();
  json["tensors"]["x"]["role"] = "output";
  tensors.write(json);
  CHECK(tensors.outcome().exit_code == 1);
  json["tensors"]["x"]["role"] = "input";
  json["tensors"]["grad_out"]["role"] = "grad";  // an expected tensor cannot be read by the one who answers
  tensors.write(json);
  CHECK(tensors.outcome().says("the tensor grad_out is not given"));

  const OneCase uncompared("schedule/noam");
  std::string bytes = read_bytes(uncompared.path(".safetensors"));
  bytes.replace(bytes.find("\"step\""), 6, "\"stop\"");
  write_bytes(uncompared.path(".safetensors"), bytes);
  json = uncompared.json();
  json["tensors"]["stop"] = json["tensors"]["step"];
  json["tensors"].erase("step");
  uncompared.write(json);
  CHECK(uncompared.outcome().says("the tensor stop was left uncompared"));

  const OneCase field("bleu/three_lines");
  json = field.json();
  json["bleu_corpus"][0]["verbose"] = "x";
  field.write(json);
  CHECK(field.outcome().says("the field verbose was left uncompared"));
}

TEST_CASE("an operation, an option or a dtype that heed lacks is listed by name and does not pass", "[conformance]") {
  const auto check_missing = [](const std::string& name, const nlohmann::json::json_pointer& place,
                                const nlohmann::json& value, const std::string& listed) {
    const OneCase one(name);
    auto json = one.json();
    json[place] = value;
    one.write(json);
    const Outcome outcome = one.outcome();
    INFO(outcome.text);
    CHECK(outcome.exit_code == 1);
    CHECK(outcome.says("not offered  " + name));
    CHECK(outcome.says("\nnot offered: " + listed));
    CHECK(outcome.says("\n0 passed, 1 failed (1 of them not offered)\n"));
  };
  using Place = nlohmann::json::json_pointer;
  check_missing("linear/two_axes_f64", Place("/op"), "torch.fft", "the operation torch.fft (1 case)");
  check_missing("linear/two_axes_f64", Place("/dtype"), "bfloat16", "the dtype bfloat16 (1 case)");
  check_missing("optimizer/adamw_f64", Place("/options/maximize"), true, "the option maximize (1 case)");
}

TEST_CASE("damaged, incomplete and missing files fail and the rest goes on", "[conformance]") {
  const TempFolder copy;
  fs::copy(own_set, copy / "set", fs::copy_options::recursive);
  fs::resize_file(copy / "set" / "linear" / "two_axes_f32.safetensors", 100);
  fs::remove(copy / "set" / "linear" / "two_axes_f64.safetensors");
  write_bytes(copy / "set" / "sdpa" / "grouped_f32.json", "{");
  fs::remove(copy / "set" / "schedule" / "noam.json");  // the index still lists it
  const Outcome outcome = run(copy / "set");
  INFO(outcome.text);
  CHECK(outcome.exit_code == 1);
  CHECK(outcome.says("\n" + std::to_string(cases_of(own_set).size() - 4) + " passed, 4 failed\n"));
  CHECK(outcome.says("not valid JSON"));
  CHECK(outcome.says("No such file"));
  write_bytes(copy / "set" / "index.json", R"({"cases": [{"id": "x"}]})");
  CHECK(run(copy / "set").exit_code == 2);
}

TEST_CASE("a file that describes its tensors otherwise than the JSON fails", "[conformance]") {
  const OneCase one("linear/two_axes_f64");
  auto json = one.json();
  json["tensors"]["out"]["shape"] = {8, 3};
  one.write(json);
  CHECK(one.outcome().says("describe it differently"));
  json = one.json();
  json["tensors"].erase("out");
  one.write(json);
  CHECK(one.outcome().says("has no role"));
}

TEST_CASE("wrong usage is told on one line and exits with 2", "[conformance]") {
  const TempFolder folder;
  write_bytes(folder / "file", "x");
  fs::create_directory(folder / "-dash");
  const std::string quoted_folder = "\"" + folder.path().string() + "\"";
  for (const std::string& arguments :
       {std::string(), std::string("a b"), std::string("--verbose ") + quoted_folder, quoted_folder + "/missing",
        quoted_folder + "/file", quoted_folder /* no case in it */, std::string("\"\"")}) {
    const Outcome outcome = run_with(arguments);
    INFO(arguments << "\n" << outcome.text);
    CHECK(outcome.exit_code == 2);
    CHECK(outcome.text.rfind("heed-conformance: ", 0) == 0);
  }
  CHECK(run_with("--help").exit_code == 0);
  CHECK(run_with("--help").says("usage: heed-conformance DIR"));
  fs::copy(own_set / "softmax", folder / "-dash", fs::copy_options::recursive);
  const Outcome dash = run_with("-- \"" + (folder / "-dash").string() + "\"");
  CHECK(dash.says("\n2 passed, 0 failed\n"));
}

TEST_CASE("the shared groups pass where they are at hand", "[conformance]") {
  const fs::path shared = fs::path(HEED_SHARED_DIR) / "golden";
  for (const char* group : {"bahdanau", "keras_gru", "torch_gru", "linear", "embedding", "layer_norm", "softmax",
                            "cross_entropy", "seq2seq", "seed", "bleu", "decoding", "optimizer", "schedule",
                            "activation", "loss", "sdpa", "seed_self_attention", "position", "rope"}) {
    if (!fs::is_directory(shared / group)) {
      std::cout << "not run: " << group << " of the shared golden set, which is not here\n";
      continue;
    }
    const Outcome outcome = run(shared / group);
    INFO(outcome.text);
    CHECK(outcome.exit_code == 0);
  }
}
