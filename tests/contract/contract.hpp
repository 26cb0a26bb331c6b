#pragma once
// What the contract tests share: batches of samples, records of bits, and the two questions that every test asks.
// heed promises (SEMANTICS 11 and 27) that what belongs to a sample depends on that sample alone, to the bit, and that
// no result depends on threads, strides or the run. The folder needs heed and Catch2 (v2 or v3) and nothing else:
// copy it into your own project and it says whether the promise holds on your machines, with your flags.

#if __has_include(<catch2/catch_all.hpp>)
#include <catch2/catch_all.hpp>
#else
#include <catch2/catch.hpp>
#endif

#include <algorithm>
#include <limits>
#include <string>
#include <vector>

#include <heed/heed.hpp>

namespace contract {

using heed::Extents;
using heed::Index;
using heed::Tensor;

/// Lengths on both sides of every switch between paths and tiles.
inline const std::vector<Index> switch_lengths{1, 2, 63, 64, 65, 129};
/// Rows on both sides of a register tile of six, and of many.
inline const std::vector<Index> switch_rows{1, 2, 5, 6, 7, 64, 65};

/// Normal numbers, the same for the same seed.
template <class T, int Rank>
Tensor<T, Rank> numbers(const Extents<Rank>& shape, std::uint64_t seed) {
  Tensor<T, Rank> tensor(shape);
  heed::Rng rng{seed, 0};
  for (T& x : heed::flat(tensor)) x = static_cast<T>(rng.normal());
  return tensor;
}

/// Which samples of a pool make up a batch, how far they are padded and with what.
struct Batch {
  std::vector<Index> samples;
  Index steps = 0;  // at least; the longest sample if that is more
  double fill = 0;  // in all that is masked

  Index size() const { return static_cast<Index>(samples.size()); }
  template <class X>
  std::vector<X> of(const std::vector<X>& pool) const {
    std::vector<X> mine;
    for (const Index s : samples) mine.push_back(pool[static_cast<std::size_t>(s)]);
    return mine;
  }
  Index padded_to(const std::vector<Index>& lengths) const {
    Index longest = steps;
    for (const Index length : of(lengths)) longest = std::max(longest, length);
    return longest;
  }
  /// Samples of pool (samples, [heads,] length, width), cut to their lengths and padded with `filled`.
  template <class T, int Rank>
  Tensor<T, Rank> of(const Tensor<T, Rank>& pool, const std::vector<Index>& lengths, double filled) const {
    Extents<Rank> shape = heed::extents(pool);
    const Index heads = Rank == 4 ? shape[1] : 1, room = shape[Rank - 2], width = shape[Rank - 1];
    shape[0] = size(), shape[Rank - 2] = padded_to(lengths);
    Tensor<T, Rank> mine(shape);
    mine.setConstant(static_cast<T>(filled));
    for (std::size_t n = 0; n < samples.size(); ++n)
      for (Index h = 0; h < heads; ++h)
        std::copy_n(pool.data() + (samples[n] * heads + h) * room * width,
                    lengths[static_cast<std::size_t>(samples[n])] * width,
                    mine.data() + (static_cast<Index>(n) * heads + h) * shape[Rank - 2] * width);
    return mine;
  }
};

/// The bytes of results, in the order in which they were added.
class Record {
 public:
  template <class T>
  void add(const T* data, Index count) {
    bytes_.append(reinterpret_cast<const char*>(data), static_cast<std::size_t>(count) * sizeof(T));
  }
  template <class T>
  void add(const std::vector<T>& all) {
    add(all.data(), static_cast<Index>(all.size()));
  }
  template <class T, int Rank>
  void add(const Tensor<T, Rank>& x) {
    add(x.data(), x.size());
  }
  /// The first rows and columns of one sample's matrices in x (batch, [heads,] length, width).
  template <class T, int Rank>
  void add_sample(const Tensor<T, Rank>& x, std::size_t sample, Index rows, Index cols) {
    const Index heads = Rank == 4 ? x.dimension(1) : 1, length = x.dimension(Rank - 2), width = x.dimension(Rank - 1);
    for (Index h = 0; h < heads; ++h)
      for (Index i = 0; i < rows; ++i)
        add(x.data() + ((static_cast<Index>(sample) * heads + h) * length + i) * width, cols);
  }
  template <class T, int Rank>
  void add_sample(const Tensor<T, Rank>& x, std::size_t sample, Index rows) {
    add_sample(x, sample, rows, x.dimension(Rank - 1));
  }
  /// Every parameter of a model or its gradient.
  template <class Model>
  void add_parameters(const Model& model) {
    heed::for_each_parameter([&](std::string_view, heed::Role, const auto& x) { add(x); }, model);
  }
  bool operator==(const Record&) const = default;

 private:
  std::string bytes_;
};

/// What a run gives: a record for each of its samples, and one of what belongs to the batch as a whole.
struct Result {
  std::vector<Record> samples;
  Record batch;
  explicit Result(const Batch& of) : samples(of.samples.size()) {}
  bool operator==(const Result&) const = default;
};

/// Runs parts last to first in the calling thread and claims any concurrency.
struct Backwards {
  Index threads;
  Index concurrency() const { return threads; }
  void parallel_for(Index count, heed::BodyRef body) const {
    while (count-- > 0) body(count);
  }
};

/// run(batch, executor) -> Result: a sample's record is the same alone, among others in any order, and padded with
/// anything.
template <class Run>
void check_samples(Index count, const Run& run) {
  heed::Serial serial;
  std::vector<Record> alone;
  std::vector<Index> all;
  for (Index s = 0; s < count; ++s) {
    all.push_back(s);
    alone.push_back(run(Batch{{s}}, serial).samples[0]);
  }
  const std::vector<Index> backwards(all.rbegin(), all.rend()), repeated{count - 1, 0, 0, count / 2, 0, count - 1, 1};
  constexpr double nan = std::numeric_limits<double>::quiet_NaN(), inf = std::numeric_limits<double>::infinity();
  std::vector<Batch> batches{{all}, {backwards}, {repeated}};
  for (const double fill : {0.0, nan, inf, 1e30}) {
    batches.push_back({all, 130, fill});
    batches.push_back({backwards, 200, fill});
    for (Index s = 0; s < count; ++s) batches.push_back({{s}, 200, fill});  // one token padded to 200 among them
  }
  for (const Batch& batch : batches) {
    const Result found = run(batch, serial);
    for (std::size_t n = 0; n < batch.samples.size(); ++n) {
      INFO("sample " << batch.samples[n] << " in a batch of " << batch.size() << ", padded to " << batch.steps
                     << " with " << batch.fill);
      CHECK((found.samples[n] == alone[static_cast<std::size_t>(batch.samples[n])]));
    }
  }
}

/// Every record, that of the batch too, is the same for 1 to 16 threads, for any other executor and in the next run.
template <class Run>
void check_executors(Index count, const Run& run) {
  heed::Serial serial;
  Batch batch;
  for (Index s = 0; s < count; ++s) batch.samples.push_back(s);
  const Result wanted = run(batch, serial);
  CHECK((run(batch, serial) == wanted));
  for (Index threads = 1; threads <= 16; ++threads) {
    heed::ThreadPool pool(threads);
    Backwards backwards{threads};
    INFO("threads " << threads);
    CHECK((run(batch, pool) == wanted));
    CHECK((run(batch, backwards) == wanted));
  }
}

}  // namespace contract
