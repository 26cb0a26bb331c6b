#pragma once
// Fine-tuning: which parts of a model an optimizer leaves as they are, by the dotted names that checkpoints show.

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <heed/core/quote.hpp>
#include <heed/train/optimizer.hpp>

namespace heed::inline HEED_ABI {

namespace detail {

/// "encoder.layers.1" is in the part "encoder" and in "encoder.layers.1", not in "encoder.layers.10" or "enc".
inline bool in_part(std::string_view name, std::string_view part) {
  return name.starts_with(part) && (name.size() == part.size() || part.empty() || name[part.size()] == '.');
}
inline bool in_any_part(std::string_view name, const std::vector<std::string>& parts) {
  for (const std::string& part : parts) {
    if (in_part(name, part)) return true;
  }
  return false;
}

/// Refuses a part in which the model has no parameter.
template <class Model>
void check_parts(std::string_view function, const Model& model, const std::vector<std::string>& parts) {
  for (const std::string& part : parts) {
    bool found = false;
    for_each_parameter([&](std::string_view name, Role, const auto&) { found = found || in_part(name, part); }, model);
    check(found, [&] { return std::string(function) + ": \"" + escaped(part) + "\" names no parameter of the model"; });
  }
}

}  // namespace detail

/// A filter that freezes these parts: a parameter's whole name, or the beginning of names up to a dot.
///   Adam optimizer(model, {.frozen = frozen_parts(model, {"source_embedding", "encoder"})});
/// Throws heed::Error for a part in which the model has no parameter.
template <class Model>
FrozenFilter frozen_parts(const Model& model, std::vector<std::string> parts) {
  detail::check_parts("frozen_parts", model, parts);
  return [parts = std::move(parts)](std::string_view name) { return detail::in_any_part(name, parts); };
}

/// A filter that freezes everything but these parts.
template <class Model>
FrozenFilter frozen_but(const Model& model, std::vector<std::string> parts) {
  detail::check_parts("frozen_but", model, parts);
  return [parts = std::move(parts)](std::string_view name) { return !detail::in_any_part(name, parts); };
}

/// How many numbers of the model an optimizer with this filter steps.
template <class Model>
Index trainable_count(const Model& model, const FrozenFilter& frozen) {
  Index count = 0;
  for_each_parameter(
      [&](std::string_view name, Role role, const auto& tensor) {
        if (role != Role::buffer && !(frozen && frozen(name))) count += tensor.size();
      },
      model);
  return count;
}

/// Sets the gradients of frozen parameters to zero, so that they do not count in a norm: before clip_by_global_norm.
template <class Model>
void clear_frozen(Model& grad, const FrozenFilter& frozen) {
  for_each_parameter(
      [&](std::string_view name, Role, auto& tensor) {
        if (frozen && frozen(name)) tensor.setZero();
      },
      grad);
}

}  // namespace heed::inline HEED_ABI
