#include <heed/io/self_test.hpp>

#include <cmath>
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
        R"("log_probs"[1] is -20.03, expected -20 within 0.021)");
  CHECK(self_test_difference(saved, changed("weights", {0.502})) ==
        R"("weights"[0] is 0.502, expected 0.5 within 0.0015)");
  CHECK(self_test_difference(saved, changed("weights", {0.5, 0.5})) == R"("weights" has 2 numbers, expected 1)");
  CHECK(self_test_difference(saved, {}) == R"("log_probs" is not computed)");
  const double infinity = std::numeric_limits<double>::infinity();
  for (const double wrong : {std::numeric_limits<double>::quiet_NaN(), infinity, -infinity}) {
    CHECK_FALSE(self_test_difference(saved, changed("weights", {wrong})).empty());
  }
}

TEST_CASE("the tolerance that a self-test carries is the one that counts", "[io]") {
  CHECK(self_test_difference(saved, changed("weights", {0.502}), 0.01).empty());
  CHECK(self_test_difference(saved, changed("weights", {0.5000001}), 0) ==
        R"("weights"[0] is 0.5, expected 0.5 within 0)");
  CHECK(self_test_difference(saved, saved, 0).empty());
}

TEST_CASE("the distance is that of the farthest number, and infinite where there is none", "[io]") {
  CHECK(heed::self_test_distance(saved, saved) == 0);
  CHECK(heed::self_test_distance(saved, changed("weights", {0.515})) == Approx(0.01));
  NumberLists both = changed("weights", {0.515});
  both["log_probs"] = {-1, -22.1};
  CHECK(heed::self_test_distance(saved, both) == Approx(0.1));
  for (const std::vector<double>& wrong :
       {std::vector<double>{}, {0.5, 0.5}, {std::numeric_limits<double>::quiet_NaN()}})
    CHECK(std::isinf(heed::self_test_distance(saved, changed("weights", wrong))));
  CHECK(std::isinf(heed::self_test_distance(saved, {})));
}

TEST_CASE("a self-test comes back from JSON with the same bits, and damaged ones are refused", "[io]") {
  const SelfTest test{{{"ids", {3, 9000}}}, {{"log_probs", {-0.1, 1e-300, 1.0 / 3}}}, 0.02};
  CHECK(heed::self_test_from_json(heed::parse_json(heed::self_test_json(test).dump(), "f"), "f") == test);
  const auto older = heed::parse_json(R"({"input":{},"output":{}})", "f");
  CHECK(heed::self_test_from_json(older, "f").tolerance == heed::self_test_tolerance);
  for (const char* text :
       {"[]", "{}", R"({"input":{},"output":[]})", R"({"input":{"a":1},"output":{}})",
        R"({"input":{"a":["1"]},"output":{}})", R"({"output":{}})", R"({"input":{},"output":{},"tolerance":-0.1})",
        R"({"input":{},"output":{},"tolerance":1})", R"({"input":{},"output":{},"tolerance":"0.1"})"}) {
    INFO(text);
    CHECK_THROWS_AS(heed::self_test_from_json(heed::parse_json(text, "f"), "f"), heed::FormatError);
  }
}
