#include <heed/text/unicode_tables.hpp>

#include <algorithm>
#include <functional>

#include "support/catch.hpp"

using namespace heed;

namespace {

template <class Boundaries>
bool is_strictly_ascending(const Boundaries& boundaries) {
  return std::adjacent_find(boundaries.begin(), boundaries.end(), std::greater_equal<>()) == boundaries.end();
}

/// Members of an inversion list.
template <class Boundaries>
long count(const Boundaries& boundaries) {
  long members = 0;
  for (std::size_t i = 0; i + 1 < boundaries.size(); i += 2) members += long(boundaries[i + 1]) - long(boundaries[i]);
  return members;
}

}  // namespace

TEST_CASE("the class tables are inversion lists with Python's numbers of members", "[text]") {
  using namespace unicode_tables;
  CHECK(is_strictly_ascending(word));
  CHECK(is_strictly_ascending(space));
  CHECK(is_strictly_ascending(punctuation));
  CHECK(is_strictly_ascending(symbol));
  CHECK(is_strictly_ascending(number));
  CHECK(is_strictly_ascending(cased));
  CHECK(is_strictly_ascending(case_ignorable));
  // sum(predicate(chr(c)) for c in range(0x110000) if not 0xD800 <= c < 0xE000)
  CHECK(count(word) == 133548);
  CHECK(count(space) == 29);
  CHECK(count(punctuation) == 860);
  CHECK(count(symbol) == 8760);
  CHECK(count(number) == 2247);
}

TEST_CASE("the lower case table has ordered runs without overlap and all of Python's simple mappings", "[text]") {
  const auto& runs = unicode_tables::lower;
  int mappings = 0;
  char32_t behind = 0;
  for (const auto& run : runs) {
    CHECK(run.first >= behind);
    CHECK(run.last >= run.first);
    CHECK((run.step == 1 || run.step == 2));
    CHECK((run.last - run.first) % static_cast<char32_t>(run.step) == 0);
    mappings += static_cast<int>((run.last - run.first) / static_cast<char32_t>(run.step)) + 1;
    behind = run.last + 1;
  }
  CHECK(mappings == 1432);  // 1433 lower-case mappings, one of them (U+0130) to two code points
}
