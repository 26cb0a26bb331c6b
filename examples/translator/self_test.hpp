#pragma once
// The self-test that a model file carries: a few words of both vocabularies and how likely the model found the target's
// when it was saved.

#include <optional>

#include <heed/io/self_test.hpp>

#include "translation_model.hpp"

namespace translator {

/// Of a model as it is now; nothing for one whose output is not finite, which no number describes.
std::optional<heed::SelfTest> make_self_test(const TranslationModel& model);

/// "log_probs" of every token of "target" and of its end, given "source". Throws heed::Error where an input is missing or
/// holds what is no id of its vocabulary.
heed::NumberLists self_test_output(const TranslationModel& model, const heed::NumberLists& input);

}  // namespace translator
