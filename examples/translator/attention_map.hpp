#pragma once
// Where a model looked while it wrote a translation, as a terminal drawing and as SVG.

#include <string>

#include "translate.hpp"

namespace translator {

std::string attention_text(const TranslationModel& model, const Translation& translation);
std::string attention_svg(const TranslationModel& model, const Translation& translation);

}  // namespace translator
