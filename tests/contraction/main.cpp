// Prints a checksum of the bits of every kernel's outputs: a line per kernel and element type.

#include <cstdio>
#include <cstring>
#include <string>

#include <heed/kernels/activation.hpp>
#include <heed/kernels/additive.hpp>
#include <heed/kernels/cross_entropy.hpp>
#include <heed/kernels/flash_backward.hpp>
#include <heed/kernels/flash_decode_backward.hpp>
#include <heed/kernels/gemm.hpp>
#include <heed/kernels/gru_reset_before.hpp>
#include <heed/kernels/linear_attention.hpp>
#include <heed/kernels/lstm_cell.hpp>
#include <heed/kernels/normalization.hpp>
#include <heed/kernels/row_sums.hpp>

#include "kernels/flash_testing.hpp"
#include "kernels/gemm_testing.hpp"

namespace {

using namespace heed_test;
constexpr Index rows = 3, size = 203;  // full groups, full registers and a tail for every instruction set

template <class T>
void print(const char* kernel, std::initializer_list<const std::vector<T>*> outputs) {
  std::uint64_t hash = 14695981039346656037u;  // FNV-1a
  for (const std::vector<T>* output : outputs) {
    std::vector<unsigned char> bytes(output->size() * sizeof(T));
    std::memcpy(bytes.data(), output->data(), bytes.size());
    for (const unsigned char byte : bytes) hash = (hash ^ byte) * 1099511628211u;
  }
  std::printf("%s %s %016llx\n", kernel, sizeof(T) == 4 ? "float" : "double", static_cast<unsigned long long>(hash));
}

template <class T>
void rowwise() {
  const std::vector<T> x = random_numbers<T>(size, 1, 5), d = random_numbers<T>(size, 2),
                       w = random_numbers<T>(size, 3);
  std::vector<T> y(x.size()), z(x.size()), d_w = w, d_b = w;
  bool allowed[size];
  for (Index j = 0; j < size; ++j) allowed[j] = j % 3 != 1;
  heed::softmax_row(x.data(), y.data(), size, size);
  heed::softmax_backward_row(y.data(), d.data(), z.data(), size, size);
  print<T>("softmax", {&y, &z});
  heed::softmax_row(x.data(), allowed, y.data(), size);
  heed::softmax_backward_row(y.data(), d.data(), allowed, z.data(), size);
  print<T>("masked softmax", {&y, &z});
  heed::log_softmax_row(x.data(), y.data(), size, size);
  heed::log_softmax_backward_row(y.data(), d.data(), z.data(), size, size);
  print<T>("log-softmax", {&y, &z});
  y = z = x;
  const heed::ClassTarget<T> smooth{.target = 70, .on = T(0.9), .off = T(0.003), .class_weight = w.data()};
  y.push_back(heed::cross_entropy_row_with_gradient<T>(y.data(), size, smooth, T(0.3)));
  z.push_back(heed::cross_entropy_row_with_gradient<T>(z.data(), size, heed::ProbabilityTarget<T>{w.data()}, T(0.3)));
  print<T>("cross-entropy", {&y, &z});
  const auto moments = heed::layer_norm_row(x.data(), w.data(), d.data(), T(1e-5), y.data(), size);
  heed::layer_norm_backward_row(x.data(), w.data(), moments, d.data(), z.data(), d_w.data(), d_b.data(), size);
  print<T>("layer norm", {&y, &z, &d_w, &d_b});
  const T factor = heed::rms_norm_row(x.data(), w.data(), T(1e-5), y.data(), size);
  heed::rms_norm_backward_row(x.data(), w.data(), factor, d.data(), z.data(), d_w.data(), size);
  print<T>("RMS norm", {&y, &z, &d_w});
  for (int kind = 0; kind <= static_cast<int>(heed::Activation::hard_sigmoid); ++kind) {
    heed::activation_row(static_cast<heed::Activation>(kind), x.data(), y.data(), size);
    heed::activation_backward_row(static_cast<heed::Activation>(kind), x.data(), d.data(), z.data(), size);
    print<T>(("activation " + std::to_string(kind)).c_str(), {&y, &z});
  }
}

template <class T>
void gru() {
  const auto state = random_numbers<T>(rows * size, 4), d_next = random_numbers<T>(rows * size, 5);
  const auto input = random_numbers<T>(3 * rows * size, 6, 3), recurrent = random_numbers<T>(3 * rows * size, 7, 3);
  std::vector<T> next(state), saved(4 * state.size()), d_input(input), d_recurrent(input), d_state(state);
  heed::gru_step<T>({matrix(input, rows, 3 * size), matrix(recurrent, rows, 3 * size), matrix(state, rows, size),
                     matrix(next, rows, size), matrix(saved, rows, 4 * size)});
  heed::gru_step_backward<T>({matrix(std::as_const(saved), rows, 4 * size), matrix(state, rows, size),
                              matrix(d_next, rows, size), matrix(d_input, rows, 3 * size),
                              matrix(d_recurrent, rows, 3 * size), matrix(d_state, rows, size)});
  print<T>("GRU step", {&next, &saved, &d_input, &d_recurrent, &d_state});
  std::vector<T> reset(state), candidate(state);
  const heed::GruResetBeforeForward<T> forward{matrix(input, rows, 3 * size), matrix(recurrent, rows, 2 * size),
                                               matrix(d_next, rows, size),    matrix(state, rows, size),
                                               matrix(reset, rows, size),     matrix(next, rows, size),
                                               matrix(saved, rows, 3 * size)};
  heed::gru_gates(forward, heed::GruGate::hard_sigmoid);
  heed::gru_candidate(forward);
  const heed::GruResetBeforeBackward<T> backward{matrix(std::as_const(saved), rows, 3 * size),
                                                 matrix(state, rows, size),
                                                 matrix(d_next, rows, size),
                                                 matrix(std::as_const(reset), rows, size),
                                                 matrix(d_input, rows, 3 * size),
                                                 matrix(d_recurrent, rows, 2 * size),
                                                 matrix(candidate, rows, size),
                                                 matrix(d_state, rows, size)};
  heed::gru_candidate_backward(backward);
  heed::gru_gates_backward(backward);
  print<T>("GRU reset before", {&next, &saved, &reset, &d_input, &d_recurrent, &candidate, &d_state});
}

template <class T>
void lstm() {
  const auto gates = random_numbers<T>(4 * rows * size, 19, 3), state = random_numbers<T>(rows * size, 20),
             cell = random_numbers<T>(rows * size, 21), d_next = random_numbers<T>(rows * size, 22);
  std::vector<T> next(state), next_cell(cell), saved(5 * state.size()), d_gates(gates), d_state(state), d_cell(cell);
  heed::lstm_step<T>({matrix(gates, rows, 4 * size), matrix(state, rows, size), matrix(cell, rows, size),
                      matrix(next, rows, size), matrix(next_cell, rows, size), matrix(saved, rows, 5 * size)});
  heed::lstm_step_backward<T>({matrix(std::as_const(saved), rows, 5 * size), matrix(cell, rows, size),
                               matrix(d_next, rows, size), matrix(state, rows, size), matrix(d_gates, rows, 4 * size),
                               matrix(d_state, rows, size), matrix(d_cell, rows, size)});
  heed::add_row_sums<T>(matrix(gates, 4 * rows, size), d_state.data());
  print<T>("LSTM step", {&next, &next_cell, &saved, &d_gates, &d_state, &d_cell});
}

template <class T>
void additive() {
  const Index keys = 7;
  const auto query = random_numbers<T>(rows * size, 8, 2), key = random_numbers<T>(keys * size, 9, 2),
             v = random_numbers<T>(size, 10);
  std::vector<T> scores(static_cast<std::size_t>(rows * keys)), d_query(query), d_key(key), d_v(v);
  heed::additive_scores<T>(matrix(query, rows, size), matrix(key, keys, size), v.data(), matrix(scores, rows, keys));
  heed::additive_scores_backward<T>({.query = matrix(query, rows, size),
                                     .key = matrix(key, keys, size),
                                     .v = v.data(),
                                     .d_scores = matrix(std::as_const(scores), rows, keys),
                                     .d_query = matrix(d_query, rows, size),
                                     .d_key = matrix(d_key, keys, size),
                                     .d_v = d_v.data()});
  print<T>("additive", {&scores, &d_query, &d_key, &d_v});
}

template <class T>
void recurrence() {
  const Index dim = 21, steps = 2;
  const auto key = random_numbers<T>(steps * dim, 14), value = random_numbers<T>(steps * size, 15),
             decay = random_numbers<T>(steps * dim, 16), beta = random_numbers<T>(steps, 17);
  std::vector<T> state = random_numbers<T>(dim * size, 18), decayed(state), d_state(state), output(2 * size);
  std::vector<T> d_key(key), d_value(value), d_decay(decay), d_beta(beta), d_query(key);
  const heed::LinearTokens<T> tokens{matrix(key, steps, dim), matrix(value, steps, size), matrix(decay, steps, dim),
                                     matrix(beta, steps, 1)};
  heed::advance_state<T>(tokens, 0, matrix(state, dim, size), output.data());
  heed::read_state<T>(matrix(state, dim, size), key.data(), T(0.3), output.data());
  heed::read_state_backward<T>(matrix(state, dim, size), key.data(), T(0.3), value.data(), d_query.data(),
                               matrix(d_state, dim, size));
  heed::advance_state_backward<T>(tokens, 1, matrix(decayed, dim, size), matrix(d_state, dim, size),
                                  {matrix(d_key, steps, dim), matrix(d_value, steps, size),
                                   matrix(d_decay, steps, dim), matrix(d_beta, steps, 1)},
                                  output.data());
  heed::elu_feature_row(value.data(), d_value.data(), size);
  print<T>("linear attention", {&state, &output, &d_state, &d_key, &d_value, &d_decay, &d_beta, &d_query});
}

template <class T>
void product() {
  using heed::Transpose;
  for (const Index m : {1, 37}) {
    const Index n = 45, k = 301;
    const auto a = random_numbers<T>(m * k, 11), b = random_numbers<T>(k * n, 12);
    std::vector<T> c = random_numbers<T>(m * n, 13);
    const Scratch<T> scratch(heed::gemm_scratch_size<T>(m, n, k)), packed(heed::packed_size<T>(k, n));
    heed::gemm<T>(Transpose::no, matrix(a, m, k), Transpose::no, matrix(b, k, n), matrix(c, m, n),
                  heed::Accumulate::yes, scratch.data());
    heed::gemm<T>(Transpose::yes, matrix(a, k, m), Transpose::yes, matrix(b, n, k), matrix(c, m, n),
                  heed::Accumulate::yes, scratch.data());
    print<T>(m == 1 ? "product, one row" : "product", {&c});
    heed::pack_b<T>(Transpose::yes, matrix(b, n, k), packed.data());
    heed::gemm_packed<T>(Transpose::no, matrix(a, m, k), packed.data(), matrix(c, m, n), k, heed::Accumulate::yes);
    print<T>(m == 1 ? "packed product, one row" : "packed product", {&c});
  }
}

template <class T>
void attention(const char* kernel, Index queries, const heed::ScoreTerms<T>& terms, const T* sink) {
  FlashProblem<T> problem(queries, 203, 21, 37);
  problem.head.band = {queries - 3, 200, heed::ScoreBand::unbounded, 180};
  problem.head.terms = terms, problem.head.sink = sink;
  problem.weights = filled<T>(queries * 203, T(0));
  problem.run();
  const auto d_output = random_numbers<T>(queries * 37, 5);
  std::vector<T> d_query = filled<T>(queries * 21, T(0)), d_key = filled<T>(203 * 21, T(0)),
                 d_value = filled<T>(203 * 37, T(0)), d_sink(1);
  heed::Workspace workspace(std::size_t{1} << 22);
  const auto take = [&]<class P>(P*& piece, Index count) { piece = workspace.take<P>(count); };
  heed::FlashGradients<T> grad{{d_output.data(), queries, 37, 37, 1},
                               matrix(std::as_const(problem.output), queries, 37),
                               problem.logsumexp.data(),
                               matrix(d_query, queries, 21),
                               matrix(d_key, 203, 21),
                               matrix(d_value, 203, 37)};
  if (sink) grad.d_sink = d_sink.data();
  heed::flash_backward(problem.head, grad, heed::FlashBackwardScratch<T>::make(21, 37, take));
  print<T>(kernel, {&problem.output, &problem.logsumexp, &problem.weights, &d_query, &d_key, &d_value, &d_sink});
  heed::FlashDecode<T> decode;
  decode.add(problem.head, {.output = matrix(problem.output, queries, 37), .logsumexp = problem.logsumexp.data()});
  heed::flash_decode(decode, heed::FlashDecodeScratch<T>::make(21, 37, take));
  print<T>((std::string(kernel) + ", decode").c_str(), {&problem.output, &problem.logsumexp});
  heed::FlashDecodeBackward<T> decode_backward(heed::FlashDecodeBackwardScratch<T>::make(21, 37, take),
                                               heed::Accumulate::no, problem.head.scale);
  decode_backward.add(problem.head, grad);
  heed::flash_decode_backward(decode_backward, {0, 203}, static_cast<T*>(nullptr));
  print<T>((std::string(kernel) + ", decode backward").c_str(), {&d_query, &d_key, &d_value, &d_sink});
}
template <class T>
void attention() {
  const auto bias = random_numbers<T>(203, 6, 2);
  const T sink = static_cast<T>(0.3);
  attention<T>("attention", 70, {}, nullptr);
  attention<T>("attention with terms", 70, {.softcap = T(3), .bias = bias.data(), .bias_key_step = 1, .alibi_slope = T(0.1)},
               &sink);
}

}  // namespace

int main() {
  rowwise<float>(), rowwise<double>();
  gru<float>(), gru<double>();
  lstm<float>(), lstm<double>();
  additive<float>(), additive<double>();
  recurrence<float>(), recurrence<double>();
  product<float>(), product<double>();
  attention<float>(), attention<double>();
}
