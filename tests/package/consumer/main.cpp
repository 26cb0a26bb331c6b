#include <cstdio>

#include <heed/heed.hpp>
#include <nlohmann/json.hpp>

heed::Index other();

int main() {
  const heed::BuildInfo info = heed::build_info();
  std::printf("%s\n", info.text().c_str());
  const bool json = nlohmann::json::parse("[1]").size() == 1;
  heed::Tensor<float, 2> tensor = heed::zeros<float, 2>({2, 3});
  return json && !info.version.empty() && tensor.size() == other() ? 0 : 1;
}
