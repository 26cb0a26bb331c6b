#include <heed/io/self_test.hpp>

#include <limits>

#include "io/temp_folder.hpp"
#include "support/catch.hpp"

using heed::NumberLists;
using heed::self_test_difference;
using heed::SelfTest;

namespace {

const NumberLists saved{{"log_probs", {-1, -20}}, {"weights", {0.5}}};

NumberLists changed(const std::string& name, std::vector<double> numbers) {
  NumberLists lists = saved;
  lists[name] = std::move(numbers);
  return lists;
}

}  // namespace

TEST_CASE("an output within the tolerance of its list's largest number is the same", "[io]") {
  CHECK(self_test_difference(saved, saved).empty());
  CHECK(self_test_difference(saved, changed("log_probs", {-1.02, -20.02})).empty());
  CHECK(self_test_difference(saved, changed("weights", {0.501})).empty());
  NumberLists more = saved;
  more["another"] = {1};
  CHECK(self_test_difference(saved, more).empty());
}

TEST_CASE("the first number that differs is named with both values", "[io]") {
  CHECK(self_test_difference(saved, changed("log_probs", {-1, -20.03})) ==
        R"("log_probs"[1] is -20.030000, expected -20.000000)");
  CHECK(self_test_difference(saved, changed("weights", {0.502})) == R"("weights"[0] is 0.502000, expected 0.500000)");
  CHECK(self_test_difference(saved, changed("weights", {0.5, 0.5})) == R"("weights" has 2 numbers, expected 1)");
  CHECK(self_test_difference(saved, {}) == R"("log_probs" is not computed)");
  const double infinity = std::numeric_limits<double>::infinity();
  for (const double wrong : {std::numeric_limits<double>::quiet_NaN(), infinity, -infinity}) {
    CHECK_FALSE(self_test_difference(saved, changed("weights", {wrong})).empty());
  }
}

TEST_CASE("a self-test comes back from JSON with the same bits, and damaged ones are refused", "[io]") {
  const SelfTest test{{{"ids", {3, 9000}}}, {{"log_probs", {-0.1, 1e-300, 1.0 / 3}}}};
  CHECK(heed::self_test_from_json(heed::parse_json(heed::self_test_json(test).dump(), "f"), "f") == test);
  for (const char* text : {"[]", "{}", R"({"input":{},"output":[]})", R"({"input":{"a":1},"output":{}})",
                           R"({"input":{"a":["1"]},"output":{}})", R"({"output":{}})"}) {
    INFO(text);
    CHECK_THROWS_AS(heed::self_test_from_json(heed::parse_json(text, "f"), "f"), heed::FormatError);
  }
}
