#pragma once
// Cross-entropy of one row of logits x against target masses q, and its gradient written over the logits:
//
//   loss = sum_j q_j (logsumexp(x) - x_j)        d_x_j = scale (softmax(x)_j sum(q) - q_j)
//
// A class with q_j = 0 takes no part in the loss. Class ids, label smoothing (either convention), class weights and
// probability targets are choices of q. Three passes over the row (maximum, exponentials, gradient), in T, fixed order.

#include <heed/kernels/softmax.hpp>

namespace heed::inline HEED_ABI {

/// q_j = weight_j * (j == target ? on : off); class_weight (size) may be null for 1. Label smoothing by s over all V
/// classes is on = 1 - s + s / V, off = s / V; over the V - 1 others it is on = 1 - s, off = s / (V - 1).
template <Real T>
struct ClassTarget {
  Index target;
  T on = T(1);
  T off = T(0);
  const T* class_weight = nullptr;
};

/// q_j = weight_j * (keep * probability_j + off) for probability (size); class_weight (size) may be null for 1. Label
/// smoothing by s is keep = 1 - s, off = s / V.
template <Real T>
struct ProbabilityTarget {
  const T* probability;
  T keep = T(1);
  T off = T(0);
  const T* class_weight = nullptr;
};

namespace cross_entropy_detail {

using softmax_detail::lowest;

/// What the passes over a row leave: sum of exponentials, sum(q) and sum q_j (x_j - max).
template <class T>
struct RowSums {
  T exponential;
  T mass;
  T score;
  T loss() const { return fma(mass, log(exponential), -score); }
};

template <class T>
T mass_of_target(const ClassTarget<T>& q) {
  return q.class_weight ? q.class_weight[q.target] * q.on : q.on;
}

/// The masses of one register's classes; the one class of a ClassTarget still has `off` here.
template <class T, class Part>
auto masses(const Part& part, const ClassTarget<T>& q, Index j) {
  const decltype(part.load(q.class_weight)) off(q.off);
  return q.class_weight ? off * part.load(q.class_weight + j) : part.inside(off);
}
template <class T, class Part>
auto masses(const Part& part, const ProbabilityTarget<T>& q, Index j) {
  using B = decltype(part.load(q.probability));
  const B mass = fma(B(q.keep), part.load(q.probability + j), B(q.off));
  return q.class_weight ? mass * part.load(q.class_weight + j) : part.inside(mass);
}

/// Exponentials into e (may be x, may be null) together with the sums over all masses.
template <class T, class Arch, class Target>
RowSums<T> sums_over_masses(const T* x, T row_max, const Target& q, T* e, Index size) {
  using B = Batch<T, Arch>;
  TurnSum<T, Arch> exponential, mass, score;
  for_each_register<T, Arch>(
      size, [&](Index j, auto part, int turn) __attribute__((always_inline)) {
        const B below = part.load(x + j, lowest<T>) - B(row_max);
        const B m = masses(part, q, j);
        const B exponentials = exp(below);
        if (e) part.store(e + j, exponentials);
        exponential.add(turn, exponentials);
        mass.add(turn, m);
        score.add_product(turn, m, select(m == B(T(0)), m, below));  // a class without mass takes no part, -inf or not
      });
  return {exponential.total(), mass.total(), score.total()};
}

template <class T, class Arch>
RowSums<T> row_sums(const T* x, T row_max, const ClassTarget<T>& q, T* e, Index size) {
  const T below_target = x[q.target] - row_max;  // before e overwrites x
  const T target_mass = mass_of_target(q);
  if (q.off == T(0)) {  // the common case: nothing to sum but the exponentials
    const T exponential = softmax_detail::exponentials<T, Arch>(x, row_max, e, size);
    return {exponential, target_mass, target_mass == T(0) ? T(0) : target_mass * below_target};
  }
  const T target_weight = q.class_weight ? q.class_weight[q.target] : T(1);
  const T extra = target_weight * (q.on - q.off);  // what the target has above the `off` that all classes have
  RowSums<T> sums = sums_over_masses<T, Arch>(x, row_max, q, e, size);
  sums.mass = fma(target_weight, q.on - q.off, sums.mass);
  if (extra != T(0)) sums.score = fma(extra, below_target, sums.score);
  return sums;
}
template <class T, class Arch>
RowSums<T> row_sums(const T* x, T row_max, const ProbabilityTarget<T>& q, T* e, Index size) {
  return sums_over_masses<T, Arch>(x, row_max, q, e, size);
}

/// Where the exponentials are between the sums and the gradient: stored over the row, or computed a second time.
enum class Exponentials { stored, recomputed };

/// x (the logits, or their exponentials where these are stored) -> scale (e / sum(e) mass - q), in place. The same bits
/// either way.
template <class T, class Arch, class Target>
void gradient(T* x, T row_max, const RowSums<T>& sums, const Target& q, T scale, Exponentials e, Index size) {
  using B = Batch<T, Arch>;
  const B factor(scale * sums.mass / sums.exponential), minus_scale(-scale), shift(row_max);
  const auto write = [&](Index j, const auto& part, const B& exponentials) __attribute__((always_inline)) {
    part.store(x + j, fma(exponentials, factor, minus_scale * masses(part, q, j)));
  };
  if (e == Exponentials::stored) {
    map_registers<T, Arch>(size, [&](Index j, auto part) { write(j, part, part.load(x + j)); });
  } else {
    map_aligned_registers<T, Arch>(x, size, [&](Index j, auto part) { write(j, part, exp(part.load(x + j) - shift)); });
  }
}

/// Storing the exponentials saves computing them twice, but only stores that cross no cache line are cheap enough
/// (measured on Zen 4: a row of 10000 takes 3.3 us stored and aligned, 9.8 us stored and not aligned, 5 us recomputed).
template <class T>
Exponentials choose_exponentials(const T* x) {
  return reinterpret_cast<std::uintptr_t>(x) % 64 == 0 ? Exponentials::stored : Exponentials::recomputed;
}

template <class T>
void check_target([[maybe_unused]] const ClassTarget<T>& q, [[maybe_unused]] Index size) {
  assert(q.target >= 0 && q.target < size);
}
template <class T>
void check_target(const ProbabilityTarget<T>&, Index) {}

}  // namespace cross_entropy_detail

/// The loss of one row x (size) against a ClassTarget or ProbabilityTarget; x is left as it is.
template <Real T, class Target, class Arch = default_arch>
T cross_entropy_row(const T* x, Index size, const Target& q) {
  cross_entropy_detail::check_target(q, size);
  return cross_entropy_detail::row_sums<T, Arch>(x, maximum_of<T, Arch>(x, size), q, nullptr, size).loss();
}

/// The loss of one row x (size), not scaled; x is overwritten by scale times the loss' gradient.
template <Real T, class Target, class Arch = default_arch>
T cross_entropy_row_with_gradient(T* x, Index size, const Target& q, T scale) {
  using namespace cross_entropy_detail;
  check_target(q, size);
  const T row_max = maximum_of<T, Arch>(x, size);
  const Exponentials e = choose_exponentials(x);
  T target_x = 0;
  if constexpr (std::same_as<Target, ClassTarget<T>>) target_x = x[q.target];
  const RowSums<T> sums = row_sums<T, Arch>(x, row_max, q, e == Exponentials::stored ? x : nullptr, size);
  gradient<T, Arch>(x, row_max, sums, q, scale, e, size);
  if constexpr (std::same_as<Target, ClassTarget<T>>) {
    x[q.target] = fma(exp(target_x - row_max), scale * sums.mass / sums.exponential, -scale * mass_of_target(q));
  }
  return sums.loss();
}

}  // namespace heed::inline HEED_ABI
