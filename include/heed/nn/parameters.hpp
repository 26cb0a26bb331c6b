#pragma once
// One walk over a model's tensors serves optimizers, clipping, checkpoints, gradient checks and zeroing. A layer is a struct
// that names its tensors and child layers once:
//
//   static void fields(auto&& visit, auto&... self) {
//     visit("weight", self.weight...);
//     visit("bias", self.bias..., Role::no_decay);   // the role is optional
//     visit("layers", self.layers...);               // a child layer, a std::vector or a std::optional of layers
//   }
//
// A gradient, an optimizer's moment and a copy are other values of the same struct, walked side by side.

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include <heed/core/check.hpp>
#include <heed/core/role.hpp>
#include <heed/core/tensor.hpp>

namespace heed::inline HEED_ABI {

/// A struct that names its tensors through a static `fields`.
template <class X>
concept HasFields = requires(X& x) { std::remove_cvref_t<X>::fields([](auto&&...) {}, x); };

namespace detail {

template <class X>
inline constexpr bool is_sequence = false;
template <class X>
inline constexpr bool is_sequence<std::vector<X>> = true;
template <class X, std::size_t n>
inline constexpr bool is_sequence<std::array<X, n>> = true;
template <class X>
inline constexpr bool is_optional = false;
template <class X>
inline constexpr bool is_optional<std::optional<X>> = true;

template <class F, class First, class... Rest>
void walk_parameters(F& f, const std::string& name, Role role, First& first, Rest&... rest);

/// What `fields` calls: takes (name, one field per value walked [, role]).
template <class F>
struct ParameterVisitor {
  F& f;
  const std::string& prefix;

  template <class... Args>
  void operator()(std::string_view name, Args&&... args) const {
    using Last = std::tuple_element_t<sizeof...(Args) - 1, std::tuple<std::remove_cvref_t<Args>...>>;
    const auto all = std::forward_as_tuple(args...);
    if constexpr (std::is_same_v<Last, Role>) {
      const Role role = std::get<sizeof...(Args) - 1>(all);
      visit(name, role, all, std::make_index_sequence<sizeof...(Args) - 1>{});
    } else {
      visit(name, Role::parameter, all, std::make_index_sequence<sizeof...(Args)>{});
    }
  }

 private:
  template <class All, std::size_t... i>
  void visit(std::string_view name, Role role, const All& all, std::index_sequence<i...>) const {
    std::string path = prefix;
    if (!path.empty() && !name.empty()) path += '.';
    path += name;
    walk_parameters(f, path, role, std::get<i>(all)...);
  }
};

inline void check_same_structure(bool same, const std::string& name) {
  check(same, [&] { return "for_each_parameter: " + name + " differs in structure between the values walked"; });
}

template <class F, class First, class... Rest>
void walk_parameters(F& f, const std::string& name, Role role, First& first, Rest&... rest) {
  using Field = std::remove_const_t<First>;
  if constexpr (is_tensor<Field>::value) {
    check_same_structure(((first.size() == rest.size()) && ...), name);
    if (first.size() > 0) f(std::string_view(name), role, first, rest...);
  } else if constexpr (is_sequence<Field>) {
    check_same_structure(((first.size() == rest.size()) && ...), name);
    for (std::size_t i = 0; i < first.size(); ++i) {
      walk_parameters(f, name + '.' + std::to_string(i), role, first[i], rest[i]...);
    }
  } else if constexpr (is_optional<Field>) {
    check_same_structure(((first.has_value() == rest.has_value()) && ...), name);
    if (first) walk_parameters(f, name, role, *first, *rest...);
  } else {
    static_assert(HasFields<Field>, "a field is a Tensor, a struct with fields, or a vector or optional of those");
    Field::fields(ParameterVisitor<F>{f, name}, first, rest...);
  }
}

}  // namespace detail

/// Calls f(std::string_view name, Role role, tensor, tensors of the other values...) for every tensor of `model`, in the
/// order of its fields, under its dotted path: "encoder.layers.0.weight_ih". An empty tensor (a bias that is switched off)
/// is not visited. Throws heed::Error when the other values have another structure.
template <class F, class Model, class... Others>
void for_each_parameter(F&& f, Model& model, Others&... others) {
  detail::walk_parameters(f, std::string(), Role::parameter, model, others...);
}

/// A value of the same structure with every tensor zero: a gradient, a moment.
template <class Model>
Model zeros_like(const Model& model) {
  Model zero = model;
  for_each_parameter([](std::string_view, Role, auto& tensor) { tensor.setZero(); }, zero);
  return zero;
}

/// Sets every tensor to zero: a gradient before the next step.
template <class Model>
void set_zero(Model& model) {
  for_each_parameter([](std::string_view, Role, auto& tensor) { tensor.setZero(); }, model);
}

/// How many numbers an optimizer steps (buffers are not counted).
template <class Model>
Index parameter_count(const Model& model) {
  Index count = 0;
  for_each_parameter(
      [&](std::string_view, Role role, const auto& tensor) { count += role == Role::buffer ? 0 : tensor.size(); }, model);
  return count;
}

}  // namespace heed::inline HEED_ABI
