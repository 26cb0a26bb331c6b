#pragma once
// Custom attention: a C++ callable that changes scores, one that masks, or both, inlined into the fused kernels.
//
//   auto local = heed::scaled_dot_product_attention(query, key, value, {},
//       [](auto score, auto at) { return score - 0.1f * heed::distance(at); },
//       heed::mask([](auto at) { return at.key > at.query - 128; }));
//
// A score callable is score(s, at): s is a batch, a scalar or a Dual of either, at is a ScoreAt (kernels/
// score_modifier.hpp). It is applied behind scale and soft cap, before bias, ALiBi and mask (SEMANTICS 2). Branch with
// heed::select, read tables with heed::lookup, use the functions of simd/math.hpp. Its derivative is taken by calling it
// with a Dual. One with parameters is a struct with `fields` (as a layer's) and
//   void backward(score, at, d_score, grad) const
// which adds d_score times the derivatives by its parameters to grad, another value of the struct; it is called with
// scalars for every visible pair, in an order that no executor changes.
// A mask callable is visible(at), and may say of a whole tile whether it is full, empty or mixed, so that empty ones are
// never visited: Tile classify(Range queries, Range keys) const, or with (Index batch, Index head) behind them.

#include <algorithm>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include <heed/core/role.hpp>
#include <heed/kernels/score_modifier.hpp>
#include <heed/simd/row.hpp>

namespace heed::inline HEED_ABI {

/// Callables for a call's end, made by score(f), score(f, grad) and mask(f). Each holds a reference to what outlives the
/// call and a copy of what does not.
template <class F>
struct ScoreFunction {
  F function;
};
template <class F>
struct TrainedScore {
  const F& function;
  F& gradient;
};
template <class F>
struct MaskFunction {
  F function;
};

/// f changes scores. A bare callable means the same.
template <class F>
ScoreFunction<F> score(F&& f) {
  return {std::forward<F>(f)};
}
/// The same for a backward that also adds the gradient of f's parameters to `grad`, another value of f's type.
template <class F>
TrainedScore<F> score(const F& f, F& grad) {
  return {f, grad};
}
/// f(at) is true where a pair is visible; the other masks hold too.
template <class F>
MaskFunction<F> mask(F&& f) {
  return {std::forward<F>(f)};
}

namespace detail {

/// Gradients of a callable's parameters whatever their type: one part per task, added up in the tasks' order.
struct ParameterParts {
  void* owner = nullptr;  // null: no gradient is wanted
  void (*make)(void* owner, Index tasks) = nullptr;
  void* (*part)(void* owner, Index task) = nullptr;
  void (*add_up)(void* owner) = nullptr;
};

}  // namespace detail

/// Callables whatever their types, as options carry them to layers: heed::callables<T>(f, mask(g)) makes them. The
/// default is none.
template <class T>
struct CallableRef {
  const ScoreModifier<T>* modifier = nullptr;
  detail::ParameterParts parameters = {};
};

namespace detail {

template <class X>
inline constexpr bool is_callable_ref = false;
template <class T>
inline constexpr bool is_callable_ref<CallableRef<T>> = true;
template <class X>
inline constexpr bool is_score = false;
template <class F>
inline constexpr bool is_score<ScoreFunction<F>> = true;
template <class X>
inline constexpr bool is_trained = false;
template <class F>
inline constexpr bool is_trained<TrainedScore<F>> = true;
template <class X>
inline constexpr bool is_mask = false;
template <class F>
inline constexpr bool is_mask<MaskFunction<F>> = true;

template <class X, class T>
concept BareScore = requires(const X& f, const Batch<T>& s, const ScoreAt<Batch<T>>& at) { f(s, at); };

}  // namespace detail

/// What may stand at the end of an attention call on elements T.
template <class X, class T>
concept AttentionCallable =
    detail::is_score<X> || detail::is_trained<X> || detail::is_mask<X> || detail::is_callable_ref<X> ||
    detail::BareScore<X, T>;

namespace detail {

/// What a parameter struct's `fields` calls to set its tensors to zero, and to add another's to them.
struct ClearFields {
  void operator()(std::string_view, auto& x, Role = Role::parameter) const {
    if constexpr (requires { x.data(); })
      std::fill_n(x.data(), x.size(), 0);
    else
      std::remove_cvref_t<decltype(x)>::fields(*this, x);
  }
};
struct AddFields {
  void operator()(std::string_view, auto& sum, const auto& part, Role = Role::parameter) const {
    if constexpr (requires { sum.data(); })
      add_row(sum.data(), part.data(), sum.size());
    else
      std::remove_cvref_t<decltype(sum)>::fields(*this, sum, part);
  }
};

template <class Score>
class ScoreGradient {
 public:
  explicit ScoreGradient(Score& gradient) : sum_(&gradient) {}
  ParameterParts parts() {
    return {.owner = this,
            .make = [](void* owner, Index tasks) { self(owner).make(tasks); },
            .part = [](void* owner, Index task) -> void* { return &self(owner).parts_[static_cast<std::size_t>(task)]; },
            .add_up = [](void* owner) { self(owner).add_up(); }};
  }

 private:
  static ScoreGradient& self(void* owner) { return *static_cast<ScoreGradient*>(owner); }
  void make(Index tasks) {
    Score zero = *sum_;
    Score::fields(ClearFields(), zero);
    parts_.assign(static_cast<std::size_t>(tasks), zero);
  }
  void add_up() {
    for (const Score& part : parts_) Score::fields(AddFields(), *sum_, part);
  }

  Score* sum_;
  std::vector<Score> parts_;
};
struct GivenGradient {
  ParameterParts given = {};
  ParameterParts parts() const { return given; }
};
template <class F>
GivenGradient gradient_of(const F&) {
  return {};
}
template <class T>
GivenGradient gradient_of(const CallableRef<T>& given) {
  return {given.parameters};
}
template <class F>
ScoreGradient<F> gradient_of(const TrainedScore<F>& score) {
  return ScoreGradient<F>(score.gradient);
}

/// A call's callables as kernels take them: at most one score and one mask.
template <class T, class... F>
class Callables {
 public:
  explicit Callables(const F&... callables) : gradients_(gradient_of(callables)...) {
    static_assert((is_mask<F> + ... + 0) <= 1 && (!is_mask<F> + ... + 0) <= 1, "at most one score and one mask");
    static_assert((is_callable_ref<F> + ... + 0) == 0 || sizeof...(F) == 1, "bound callables stand alone");
    (add(callables), ...);
  }
  Callables(const Callables&) = delete;

  /// Null without callables.
  const ScoreModifier<T>* modifier() const { return modifier_.score || modifier_.mask ? &modifier_ : nullptr; }
  /// Where the gradient of the score's parameters is added, if it is wanted.
  ParameterParts parameters() {
    ParameterParts wanted;
    const auto take = [&](const ParameterParts& parts) { wanted = parts.owner ? parts : wanted; };
    std::apply([&](auto&... gradient) { (take(gradient.parts()), ...); }, gradients_);
    return wanted;
  }

 private:
  template <class X>
  void add(const X& f) {
    if constexpr (is_callable_ref<X>) {
      if (f.modifier) modifier_ = *f.modifier;
    } else if constexpr (is_mask<X>) {
      modifier_detail::set_mask<T>(modifier_, f.function);
    } else if constexpr (is_score<X> || is_trained<X>) {
      modifier_detail::set_score<T>(modifier_, f.function);
    } else {
      modifier_detail::set_score<T>(modifier_, f);
    }
  }

  ScoreModifier<T> modifier_;
  std::tuple<decltype(gradient_of(std::declval<const F&>()))...> gradients_;
};

}  // namespace detail

/// Callables kept for calls that take options alone; a CallableRef of it is valid as long as it stays.
template <class T, class... F>
class BoundCallables {
 public:
  explicit BoundCallables(F... callables)
      : kept_(std::move(callables)...),
        bound_(std::apply([](const F&... f) { return detail::Callables<T, F...>(f...); }, kept_)) {}
  BoundCallables(const BoundCallables&) = delete;

  operator CallableRef<T>() { return {bound_.modifier(), bound_.parameters()}; }

 private:
  std::tuple<F...> kept_;
  detail::Callables<T, F...> bound_;
};

/// For the options of layers and stacks on elements T: {.callables = heed::callables<float>(f)} for one call, or a
/// variable for several. Takes what stands at the end of attend: f or score(f), score(f, grad), mask(g). A
/// score(f, grad) adds to grad in every backward that it reaches.
template <class T, AttentionCallable<T>... F>
BoundCallables<T, F...> callables(F... f) {
  return BoundCallables<T, F...>(std::move(f)...);
}

}  // namespace heed::inline HEED_ABI
