#include <heed/attention/rotary_scaling.hpp>

#include "support/catch.hpp"

using namespace heed;

namespace {

/// Of 16 channels.
void check_frequencies(double base, const RotaryScaling& scaling, const std::vector<double>& wanted) {
  const auto found = rotary_frequencies(16, base, scaling);
  REQUIRE(found.size() == wanted.size());
  for (std::size_t i = 0; i < wanted.size(); ++i) CHECK(found[i] == Approx(wanted[i]).epsilon(1e-13));
}

}  // namespace

// Numbers of llama3 and yarn: the formulas of transformers' modeling_rope_utils, evaluated in Python.
TEST_CASE("frequencies are those of the published scalings", "[attention]") {
  SECTION("none") {
    check_frequencies(10000, {}, {1, 0.31622776601683794, 0.1, 0.031622776601683791, 0.01, 0.0031622776601683794, 0.001,
                                  0.00031622776601683794});
  }
  SECTION("linear: every one divided by the factor") {
    check_frequencies(10000, {.kind = RotaryStretch::linear, .factor = 8},
                      {0.125, 0.039528470752104741, 0.0125, 0.0039528470752104739, 0.00125, 0.00039528470752104743,
                       0.000125, 0.000039528470752104743});
  }
  SECTION("ntk: the fastest stays, the slowest is divided by the factor") {
    check_frequencies(10000, {.kind = RotaryStretch::ntk, .factor = 4},
                      {1, 0.25941281701492275, 0.067295009631617803, 0.017457188019584336, 0.0045286183213195334,
                       0.0011747816359188909, 0.00030475341355111886, 0.00031622776601683794 / 4});
  }
  SECTION("llama3") {
    check_frequencies(500000, {.kind = RotaryStretch::llama3, .factor = 8},
                      {1, 0.19392274474868576, 0.037606030930863933, 0.0072926647372171093, 0.00052484616099295468,
                       3.4281021959525912e-05, 6.6478698711812354e-06, 1.2891731721515574e-06});
  }
  SECTION("yarn") {
    check_frequencies(10000, {.kind = RotaryStretch::yarn, .factor = 4, .trained_length = 4096},
                      {1, 0.31622776601683794, 0.1, 0.02569350598886808, 0.00625, 0.001383496476323666, 0.00025,
                       7.9056941504209485e-05});
  }
}

TEST_CASE("only yarn grows cosines and sines by itself", "[attention]") {
  CHECK(rotary_amplitude({}) == 1);
  CHECK(rotary_amplitude({.kind = RotaryStretch::llama3, .factor = 8}) == 1);
  CHECK(rotary_amplitude({.kind = RotaryStretch::yarn, .factor = 4}) == Approx(1.138629436111989));
  CHECK(rotary_amplitude({.kind = RotaryStretch::yarn, .factor = 0.5}) == 1);
  CHECK(rotary_amplitude({.kind = RotaryStretch::yarn, .factor = 4, .amplitude = 1.5}) == 1.5);
}

TEST_CASE("scalings that do not fit are refused", "[attention]") {
  const auto refuses = [](const RotaryScaling& scaling, const char* part, Index rotary_dim = 8, double base = 10000) {
    CHECK_THROWS_WITH(rotary_frequencies(rotary_dim, base, scaling), Catch::Contains(part));
  };
  refuses({.kind = RotaryStretch::linear, .factor = 0}, "scaling.factor is 0");
  refuses({.kind = RotaryStretch::yarn, .factor = 2, .trained_length = -1}, "scaling.trained_length is -1");
  refuses({.amplitude = 0.0}, "scaling.amplitude is 0");
  refuses({.kind = RotaryStretch::ntk, .factor = 2}, "rotary_dim is 2, wanted more", 2);
  refuses({.kind = RotaryStretch::llama3, .slow_turns = 0}, "scaling.slow_turns is 0");
  refuses({.kind = RotaryStretch::yarn, .slow_turns = 4, .fast_turns = 4}, "wanted 0 or more than slow_turns");
  refuses({.kind = RotaryStretch::yarn}, "wanted more than 1", 8, 1);
}
