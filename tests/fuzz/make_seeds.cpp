// Writes the valid files that the fuzz targets begin with, one folder per target: make_seeds FOLDER

#include <filesystem>
#include <fstream>

#include <heed/io/checkpoint.hpp>
#include <heed/nn/dense.hpp>

namespace {

namespace fs = std::filesystem;

void write(const fs::path& folder, const std::string& name, const std::string& bytes) {
  fs::create_directories(folder);
  std::ofstream(folder / name, std::ios::binary) << bytes;
}

void safetensors(const fs::path& folder) {
  fs::create_directories(folder);
  heed::Rng rng{.seed = 1, .offset = 0};
  const heed::Dense<float> layer({.in_features = 3, .out_features = 2}, rng);
  heed::save(folder / "plain.safetensors", layer);
  heed::CheckpointWriter writer;
  writer.set_config(R"({"model":"dense","sizes":[3,2]})");
  writer.set_text("words", "<pad>\n<s>\n</s>\n<unk>\ntea\n");
  writer.set_self_test({{{"x", {1, 2, 3}}}, {{"x", {1, 2, 3}}}});
  writer.add("", layer);
  writer.add_scalar("optimizer", "step", std::int64_t{12});
  writer.save(folder / "checkpoint.safetensors");
  heed::SafetensorsWriter types;
  heed::Tensor<std::uint8_t, 1> bytes(3);
  heed::Tensor<double, 3> empty(2, 0, 4);
  bytes.setValues({1, 0, 255});
  types.add("bytes", bytes);
  types.add("empty", empty);
  types.set_metadata("format", "pt");
  types.save(folder / "types.safetensors");
  const std::string header = R"({"e":{"dtype":"F8_E5M2","shape":[2],"data_offsets":[0,2]},)"
                             R"("b":{"dtype":"BF16","shape":[],"data_offsets":[2,4]}})";
  write(folder, "rare.safetensors",
        std::string(1, static_cast<char>(header.size())) + std::string(7, '\0') + header + "abcd");
}

void texts(const fs::path& root) {
  const std::string pairs =
      "Good morning.\t早上好。\nWhere is the bank?\t银行在哪儿？\nTea, please!\t请给我茶！\tour own\n";
  for (int options = 0; options < 4; ++options) {
    const std::string first(1, static_cast<char>(options));
    write(root / "pairs", "plain" + std::to_string(options), first + pairs);
    write(root / "pairs", "windows" + std::to_string(options), first + "\xEF\xBB\xBFYes.\tOui.\r\n\r\nNo.\tNon.");
    write(root / "pairs", "bad" + std::to_string(options), first + "Yes.\tOui.\nno tab\n\tempty\n\xC0\xAF\tx\nz\t\n");
  }
  const std::string special = "<pad>\n<s>\n</s>\n<unk>\n";
  write(root / "vocabulary", "special", special);
  write(root / "vocabulary", "words", special + ".\ntea\n中\nété\ndon't\n");
  write(root / "vocabulary", "windows", "\xEF\xBB\xBF<pad>\r\n<s>\r\n</s>\r\n<unk>\r\nword");
  int number = 0;
  for (const char* sentence :
       {"Good morning, Dr. Smith's (new) friend!", "J'aime l'été à Saint-Étienne...", "我在2024年喝了3.5杯coffee。",
        "ΟΔΥΣΣΕΥΣ ΣΑΣ", "İstanbul ǅ ß", "👩‍👩‍👧 e\u0301\u200d\u202E x",
        "\xF0\x9F\x98\x80\xC3 \xED\xA0\x80 \xFF", "&quot;1,000.5&quot; &lt;skipped&gt; a-b 5-6"}) {
    write(root / "tokenizer", std::to_string(number++), sentence);
  }
}

void options(const fs::path& folder) {
  int number = 0;
  for (const char* line :
       {"--help", "train\n--data\na.tsv\n--epochs\n3\n--heads=20\n--learning-rate\n0.01",
        "train\n--data\na\n--arch\ntransformer\n--heads\n2\n--seed\n18446744073709551615\n--skip-bad\n--replace-bad",
        "train\n--data\na\n--beam\n5\n--max-length\n9\n--threads\n0\n--no-clobber", "train\n--data\n-a\n--\n-x",
        "train\n--data=a\n--source-lang\nzh\n--dropout\n0.5\n--learning-rate\n1e-3", "train\n--help",
        "trian\n--epoch\n3", "train\n--epochs\n-1", "train\n--heads\n99999999999999999999"}) {
    write(folder, std::to_string(number++), line);
  }
}

void attention(const fs::path& folder) {
  heed::Rng rng{.seed = 2, .offset = 0};
  for (int number = 0; number < 64; ++number) {
    std::string bytes(static_cast<std::size_t>(64 + rng.below(192)), '\0');
    for (char& byte : bytes) byte = static_cast<char>(rng.below(256));
    write(folder, std::to_string(number), bytes);
  }
}

}  // namespace

int main(int argc, char** argv) {
  const fs::path root = argc > 1 ? argv[1] : "seeds";
  safetensors(root / "safetensors");
  texts(root);
  options(root / "options");
  attention(root / "attention");
}
