// heed-conformance DIR: runs golden cases, numbers that other frameworks computed, through heed's public functions.

#include <cstdio>
#include <exception>
#include <iostream>
#include <map>
#include <new>
#include <string>
#include <vector>

#include <heed/core/quote.hpp>
#include <heed/version.hpp>

#include "case_files.hpp"
#include "golden_case.hpp"
#include "registry.hpp"

namespace conformance {
namespace {

constexpr const char* usage =
    "usage: heed-conformance DIR\n"
    "\n"
    "Runs every golden case of DIR (a whole set, or the folder of one group) through heed and prints a line per case "
    "and\n"
    "the total. Exit code: 0 all passed, 1 a case failed or is not offered, 2 wrong usage.\n";

struct Totals {
  int passed = 0, failed = 0;
  std::map<std::string, std::vector<std::string>> not_offered;  // what is missing: the cases that want it
};

std::string ratio_text(double ratio) {
  char text[32];
  std::snprintf(text, sizeof text, "%.2g", ratio);
  return text;
}

void run_case(const std::filesystem::path& file, const Registry& registry, Totals& totals) {
  std::string name = heed::escaped(file.string());
  try {
    Case golden(file);
    name = heed::escaped(golden.id());
    registry.run(golden);
    golden.finish();
    std::cout << "passed       " << name << "  error " << ratio_text(golden.worst()) << " of the tolerance ("
              << golden.worst_tensor() << ")\n";
    ++totals.passed;
  } catch (const NotOffered& missing) {
    std::cout << "not offered  " << name << "  " << missing.what() << '\n';
    totals.not_offered[missing.what()].push_back(name);
    ++totals.failed;
  } catch (const std::bad_alloc&) {
    std::cout << "FAILED       " << name << "  out of memory\n";
    ++totals.failed;
  } catch (const std::exception& error) {
    std::cout << "FAILED       " << name << "  " << error.what() << '\n';
    ++totals.failed;
  }
}

void print_totals(const Totals& totals) {
  for (const auto& [what, cases] : totals.not_offered) {
    std::cout << "not offered: " << what << " (" << cases.size() << (cases.size() == 1 ? " case)\n" : " cases)\n");
  }
  std::size_t missing = 0;
  for (const auto& entry : totals.not_offered) missing += entry.second.size();
  std::cout << totals.passed << " passed, " << totals.failed << " failed";
  if (missing > 0) std::cout << " (" << missing << " of them not offered)";
  std::cout << std::endl;
}

int usage_error(const std::string& problem) {
  std::cerr << "heed-conformance: " << problem << '\n' << usage;
  return 2;
}

int run(const std::vector<std::string>& arguments) {
  std::vector<std::string> folders;
  bool options = true;
  for (const std::string& argument : arguments) {
    if (options && (argument == "--help" || argument == "-h")) {
      std::cout << usage;
      return 0;
    }
    if (options && argument == "--") {
      options = false;
    } else if (options && argument.size() > 1 && argument.front() == '-') {
      return usage_error("unknown option " + heed::quote(argument));
    } else {
      folders.push_back(argument);
    }
  }
  if (folders.size() != 1) return usage_error("wanted one folder, found " + std::to_string(folders.size()));
  std::vector<std::filesystem::path> cases;
  try {
    cases = find_cases(folders.front());
  } catch (const std::exception& error) {
    return usage_error(error.what());
  }
  if (cases.empty()) return usage_error("no golden case in " + heed::quote(folders.front()));
  std::cout << heed::build_info().text() << '\n';
  const Registry registry = all_operations();
  Totals totals;
  for (const auto& file : cases) run_case(file, registry, totals);
  print_totals(totals);
  return totals.failed == 0 ? 0 : 1;
}

}  // namespace
}  // namespace conformance

int main(int argc, char** argv) { return conformance::run({argv + (argc > 0 ? 1 : 0), argv + argc}); }
