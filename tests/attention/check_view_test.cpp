#include <heed/attention/check_view.hpp>

#include <limits>

#include "attention/attention_testing.hpp"

using namespace heed;
using namespace heed_test;

namespace {

float number = 1;
constexpr Index huge = std::numeric_limits<Index>::max();

template <int Rank>
std::string input_error(const View<const float, Rank>& view) {
  return error_of([&] { check_input("f", "x", view); });
}
template <int Rank>
std::string output_error(const View<float, Rank>& view) {
  return error_of([&] { check_output("f", "x", view); });
}

}  // namespace

TEST_CASE("inputs may have any stride, and no memory when they are empty", "[attention]") {
  CHECK(input_error<2>({&number, {3, 4}, {0, 0}}).empty());
  CHECK(input_error<2>({&number, {3, 4}, {-4, -1}}).empty());
  CHECK(input_error<2>({nullptr, {0, 4}}).empty());
  CHECK(mentions(input_error<2>({nullptr, {1, 4}}), {"f: x is a null pointer", "(1, 4)"}));
}

TEST_CASE("extents and strides whose products leave 63 bits are refused, also behind a zero", "[attention]") {
  CHECK(mentions(input_error<2>({&number, {-1, 4}}), {"(-1, 4)", "negative"}));
  CHECK(mentions(input_error<2>({&number, {huge, 3}, {0, 0}}), {"x", "63 bits"}));
  CHECK(mentions(input_error<3>({&number, {0, huge, huge}, {0, 0, 0}}), {"63 bits"}));
  CHECK(mentions(input_error<2>({&number, {3, 1}, {huge, 1}}), {"63 bits"}));
  CHECK(mentions(input_error<2>({&number, {3, 3}, {huge / 20, huge / 20}}), {"63 bits"}));
  CHECK(mentions(input_error<2>({&number, {3, 1}, {PTRDIFF_MIN, 1}}), {"-2^63"}));
}

TEST_CASE("a pointer between two elements is refused", "[attention]") {
  const auto* bytes = reinterpret_cast<const char*>(&number);
  CHECK(mentions(input_error<1>({reinterpret_cast<const float*>(bytes + 2), {1}}), {"not aligned", "4 bytes"}));
}

TEST_CASE("outputs are row-major, with positive strides and no element twice", "[attention]") {
  CHECK(output_error<2>({&number, {3, 4}, {4, 1}}).empty());
  CHECK(output_error<3>({&number, {2, 3, 4}, {4, 8, 1}}).empty());  // another order of the leading axes
  CHECK(output_error<2>({&number, {1, 4}, {0, 1}}).empty());        // a stride that is never taken
  CHECK(mentions(output_error<2>({&number, {3, 4}, {0, 1}}), {"strides (0, 1)", "share"}));
  CHECK(mentions(output_error<2>({&number, {3, 4}, {3, 1}}), {"strides (3, 1)", "share"}));
  CHECK(mentions(output_error<2>({&number, {3, 4}, {-4, 1}}), {"strides (-4, 1)"}));
  CHECK(mentions(output_error<2>({&number, {3, 4}, {1, 3}}), {"stride 3", "row-major", "column-major"}));
}

TEST_CASE("views whose memory meets are told apart from neighbours", "[attention]") {
  std::vector<float> memory(20);
  const auto apart = [](const View<float, 2>& a, const View<const float, 2>& b) {
    return error_of([&] { check_apart("f", "out", a, "in", b); });
  };
  float* const at = memory.data();
  CHECK(apart({at, {2, 5}}, {at + 10, {2, 5}}).empty());
  CHECK(mentions(apart({at, {2, 5}}, {at + 9, {2, 5}}), {"f: out overlaps in"}));
  CHECK(mentions(apart({at, {2, 5}}, {at + 14, {2, 5}, {-5, 1}}), {"overlaps"}));
  CHECK(apart({at, {2, 5}}, {at, {0, 5}}).empty());
}
