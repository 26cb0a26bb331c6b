#pragma once
// Catch2 v2 and v3 behind one include: tests write v2's spelling (Approx, Catch::Contains, Catch::WithinAbs, ...).

#if __has_include(<catch2/catch_all.hpp>)
#include <catch2/catch_all.hpp>

#include <string>

using Catch::Approx;
namespace Catch {
using Matchers::EndsWith;
using Matchers::Matches;
using Matchers::Message;
using Matchers::StartsWith;
using Matchers::WithinAbs;
using Matchers::WithinRel;
inline auto Contains(const std::string& text) { return Matchers::ContainsSubstring(text); }
}  // namespace Catch
#else
#include <catch2/catch.hpp>
#endif
