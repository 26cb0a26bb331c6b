// What scaled dot-product attention gives for inputs in files, forward and backward: error_figures.py sets it beside a
// reference in double.
//
//   attention_values <full|causal|mask> <BxHxTqxTkxD> FOLDER
//
// Reads query, key, value and d_output from FOLDER/<name>.f32 (floats in row-major order), writes output, d_query,
// d_key and d_value. mask: as attention_benchmark.

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>
#include <vector>

#include <heed/attention/scaled_dot_product_backward.hpp>

namespace {

using heed::Index;
using Tensor4 = heed::Tensor<float, 4>;

[[noreturn]] void stop(int status, const std::string& message) {
  std::fprintf(stderr, "attention_values: %s\n", message.c_str());
  std::exit(status);
}

Tensor4 read(const std::string& path, Index batch, Index heads, Index length, Index dim) {
  Tensor4 x(batch, heads, length, dim);
  std::ifstream file(path, std::ios::binary);
  const auto bytes = static_cast<std::streamsize>(x.size()) * 4;
  if (!file.read(reinterpret_cast<char*>(x.data()), bytes))
    stop(1, path + " does not have " + std::to_string(bytes) + " bytes");
  return x;
}
void write(const std::string& path, const Tensor4& x) {
  std::ofstream file(path, std::ios::binary);
  file.write(reinterpret_cast<const char*>(x.data()), static_cast<std::streamsize>(x.size()) * 4);
  if (!file.flush()) stop(1, "cannot write " + path);
}

}  // namespace

int main(int argc, char** argv) {
  Index batch, heads, queries, keys, dim;
  const std::string mode = argc == 4 ? argv[1] : "";
  if ((mode != "full" && mode != "causal" && mode != "mask") ||
      std::sscanf(argv[2], "%tdx%tdx%tdx%tdx%td", &batch, &heads, &queries, &keys, &dim) != 5 ||
      std::min({batch, heads, queries, keys, dim}) < 1) {
    stop(2, "usage: attention_values <full|causal|mask> <BxHxTqxTkxD> FOLDER");
  }
  const std::string folder = std::string(argv[3]) + "/";
  const Tensor4 query = read(folder + "query.f32", batch, heads, queries, dim);
  const Tensor4 key = read(folder + "key.f32", batch, heads, keys, dim);
  const Tensor4 value = read(folder + "value.f32", batch, heads, keys, dim);
  const Tensor4 d_output = read(folder + "d_output.f32", batch, heads, queries, dim);
  std::vector<Index> lengths;
  for (Index b = 0; b < batch; ++b) lengths.push_back(batch == 1 ? 3 * keys / 4 : keys - b * keys / (2 * (batch - 1)));
  heed::AttentionOptions<float> options{.return_logsumexp = true};
  if (mode == "causal") options.mask = heed::causal();
  if (mode == "mask") options.mask = heed::key_lengths(lengths);
  const auto forward = heed::attend(query, key, value, options);
  const auto grad = heed::attend_backward(d_output, query, key, value, forward, options);
  write(folder + "output.f32", forward.output);
  write(folder + "d_query.f32", grad.query);
  write(folder + "d_key.f32", grad.key);
  write(folder + "d_value.f32", grad.value);
}
