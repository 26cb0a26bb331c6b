#pragma once
// Keys and values of the past, for decoding one step after the other: appended to, read in place by attend(). With a window
// only what a later query can still see is kept, so memory stays bounded however long the sequence becomes.
//
//   cache.append(key, value);
//   attend(query, cache.key(), cache.value(), {.mask = causal(Corner::bottom_right) & cache.window()});

#include <algorithm>
#include <span>
#include <string>

#include <heed/attention/check_view.hpp>
#include <heed/attention/mask.hpp>
#include <heed/core/numeric.hpp>
#include <heed/core/tensor.hpp>

namespace heed::inline HEED_ABI {

/// Whether `parents` names every one of `rows` rows in its own place.
inline bool keeps_rows(std::span<const Index> parents, Index rows) {
  bool same = static_cast<Index>(parents.size()) == rows;
  for (std::size_t r = 0; r < parents.size() && same; ++r) same = parents[r] == static_cast<Index>(r);
  return same;
}

template <Real T>
class KeyValueCache {
 public:
  struct Config {
    Index batch = 0, kv_heads = 0, head_dim = 0, value_dim = 0;
    Index capacity = 0;  // steps that memory is taken for at once; more are taken when they come
    Index window = 0;    // the newest steps that a query sees, itself counted; 0: all
  };

  /// Throws heed::Error for sizes below 0 and an empty head_dim.
  explicit KeyValueCache(const Config& config) : config_(config) {
    check_extents("KeyValueCache", "key", Extents<4>{config.batch, config.kv_heads, config.capacity, config.head_dim});
    check_extents("KeyValueCache", "value", Extents<4>{config.batch, config.kv_heads, config.capacity, config.value_dim});
    check(config.head_dim > 0, [] { return std::string("KeyValueCache: head_dim is 0, wanted at least 1"); });
    check(config.window >= 0,
          [&] { return "KeyValueCache: window is " + std::to_string(config.window) + ", wanted at least 0 (0: all)"; });
    grow(config.capacity);
  }

  /// Adds the steps of key (batch, kv_heads, steps, head_dim) and value (batch, kv_heads, steps, value_dim), any strides.
  /// Amortised cost: what it copies, each step at most twice. Throws heed::Error on other shapes; then nothing has changed.
  void append(const std::type_identity_t<View<const T, 4>>& key, const std::type_identity_t<View<const T, 4>>& value) {
    const Index steps = key.dimension(2);
    check_shape("KeyValueCache::append", "key", key.extents, Extents<4>{config_.batch, config_.kv_heads, -1, config_.head_dim});
    check_shape("KeyValueCache::append", "value", value.extents,
                Extents<4>{config_.batch, config_.kv_heads, steps, config_.value_dim});
    check_input("KeyValueCache::append", "key", key);
    check_input("KeyValueCache::append", "value", value);
    make_room(steps);
    write(key, end_, keys_);
    write(value, end_, values_);
    end_ += steps;
    total_ += steps;
  }

  /// What the newest queries may look at: (batch, kv_heads, length, head_dim) and (.., value_dim), the present of ONNX's
  /// Attention. Valid until the next change.
  View<const T, 4> key() const { return kept(keys_); }
  View<const T, 4> value() const { return kept(values_); }
  Index length() const { return end_ - first_; }
  /// Steps that were ever appended: the next one's position.
  Index position() const { return total_; }
  /// The mask of the cache's window, to be joined with causal(Corner::bottom_right); allows everything without one.
  Mask window() const { return config_.window > 0 ? heed::window(config_.window - 1, -1) : Mask{}; }

  /// Forgets the newest steps down to `length`, as when a draft is rejected. Throws heed::Error for more than there are.
  void truncate(Index length) {
    check(length >= 0 && length <= this->length(), [&] {
      return "KeyValueCache::truncate: length is " + std::to_string(length) + ", wanted 0 to " + std::to_string(this->length());
    });
    total_ -= this->length() - length;
    end_ = first_ + length;
  }
  /// Row r of the batch goes on from what was row parents[r]; any number of rows, repeats allowed. Cost: a copy of what is
  /// kept, but nothing where the rows stay as they are. Throws heed::Error for a row that is not there.
  void reorder(std::span<const Index> parents) {
    for (std::size_t r = 0; r < parents.size(); ++r) {
      check(parents[r] >= 0 && parents[r] < config_.batch, [&] {
        return "KeyValueCache::reorder: parents[" + std::to_string(r) + "] is " + std::to_string(parents[r]) + ", wanted 0 to " +
               std::to_string(config_.batch - 1);
      });
    }
    if (keeps_rows(parents, config_.batch)) return;
    const auto pick = [&](const Tensor<T, 4>& all) {
      const Index heads = config_.kv_heads, room = capacity() * all.dimension(3);
      Tensor<T, 4> rows(static_cast<Index>(parents.size()), heads, capacity(), all.dimension(3));
      for (Index i = 0; i < static_cast<Index>(parents.size()) * heads; ++i) {
        const Index from = parents[static_cast<std::size_t>(i / heads)] * heads + i % heads, width = all.dimension(3);
        std::copy(all.data() + from * room + first_ * width, all.data() + from * room + end_ * width,
                  rows.data() + i * room + first_ * width);
      }
      return rows;
    };
    Tensor<T, 4> keys = pick(keys_);
    values_ = pick(values_);
    keys_ = std::move(keys);
    config_.batch = static_cast<Index>(parents.size());
  }
  /// Forgets everything and keeps the memory.
  void clear() { first_ = end_ = total_ = 0; }

 private:
  Index capacity() const { return keys_.dimension(2); }
  View<const T, 4> kept(const Tensor<T, 4>& all) const {
    View<const T, 4> view(all);
    view.data += first_ * view.stride(2);
    view.extents[2] = length();
    return view;
  }

  /// Forgets what no query of the next steps sees, and makes room behind end_.
  void make_room(Index steps) {
    if (config_.window > 0) first_ = std::max(first_, end_ - (config_.window - 1));
    if (end_ + steps <= capacity()) return;
    const Index wanted = length() + steps;
    if (wanted <= capacity() / 2) {  // half of the room is behind us: moving is paid for by what was appended since
      move_to_front(keys_);
      move_to_front(values_);
      end_ -= first_;
      first_ = 0;
    } else {
      grow(2 * wanted);
    }
  }
  void move_to_front(Tensor<T, 4>& all) const {
    const Index width = all.dimension(3), step = capacity() * width;
    for (Index head = 0; head < config_.batch * config_.kv_heads; ++head) {
      T* const rows = all.data() + head * step;
      std::copy(rows + first_ * width, rows + end_ * width, rows);
    }
  }
  void grow(Index capacity) {
    Tensor<T, 4> keys(config_.batch, config_.kv_heads, capacity, config_.head_dim);
    Tensor<T, 4> values(config_.batch, config_.kv_heads, capacity, config_.value_dim);
    if (length() > 0) {
      write(key(), 0, keys);
      write(value(), 0, values);
    }
    keys_ = std::move(keys);
    values_ = std::move(values);
    end_ -= first_;
    first_ = 0;
  }
  static void write(const View<const T, 4>& from, Index at, Tensor<T, 4>& to) {
    for (Index b = 0; b < from.dimension(0); ++b) {
      for (Index h = 0; h < from.dimension(1); ++h) {
        for (Index t = 0; t < from.dimension(2); ++t) {
          for (Index d = 0; d < from.dimension(3); ++d) to(b, h, at + t, d) = from(b, h, t, d);
        }
      }
    }
  }

  Config config_;
  Tensor<T, 4> keys_, values_;
  Index first_ = 0, end_ = 0, total_ = 0;
};

}  // namespace heed::inline HEED_ABI
