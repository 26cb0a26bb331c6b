#pragma once
// What the tests of pictures share.

#include <algorithm>
#include <string>
#include <vector>

namespace heed_test {

/// Enough of XML to find what breaks a picture: tags that do not nest, bare markup, characters that XML lacks.
inline std::string xml_problem(const std::string& xml) {
  std::vector<std::string> open;
  for (std::size_t at = 0; at < xml.size(); ++at) {
    const auto c = static_cast<unsigned char>(xml[at]);
    if (c < 0x20 && c != '\n') return "control byte at " + std::to_string(at);
    if (c == '&') {
      const std::string entity = xml.substr(at, xml.find(';', at) - at + 1);
      if (entity.size() > 9 || entity.size() < 4) return "bare & at " + std::to_string(at);
    }
    if (c == '>') return "bare > at " + std::to_string(at);
    if (c != '<') continue;
    const std::size_t end = xml.find('>', at);
    if (end == std::string::npos) return "open tag at " + std::to_string(at);
    const std::string tag = xml.substr(at + 1, end - at - 1);
    if (tag.find('<') != std::string::npos || std::count(tag.begin(), tag.end(), '"') % 2 != 0) return "bad tag " + tag;
    const std::string name = tag.substr(0, tag.find_first_of(" /", 1));
    if (tag.front() == '/') {
      if (open.empty() || "/" + open.back() != name) return "unmatched " + tag;
      open.pop_back();
    } else if (tag.back() != '/') {
      open.push_back(name);
    }
    at = end;
  }
  return open.empty() ? "" : "unclosed " + open.back();
}

}  // namespace heed_test
