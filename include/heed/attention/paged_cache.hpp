#pragma once
// Keys and values of many sequences in pages of one pool: no sequence reserves what it may never use, and sequences that
// begin alike share pages until they part (W. Kwon et al., "Efficient Memory Management for Large Language Model Serving with
// PagedAttention", 2023, section 4). Beams are reordered by copying page numbers.

#include <algorithm>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <heed/attention/check_view.hpp>
#include <heed/core/numeric.hpp>
#include <heed/core/tensor.hpp>

namespace heed::inline HEED_ABI {

template <Real T>
class PagedKeyValueCache {
 public:
  struct Config {
    Index kv_heads = 0, head_dim = 0, value_dim = 0;
    Index pages = 0;        // of the pool
    Index page_size = 256;  // steps per page; a multiple of 256 is read in place, others are copied block by block
  };

  /// Takes the pool's memory. Throws heed::Error for sizes that leave no room.
  explicit PagedKeyValueCache(const Config& config) : config_(config) {
    check_extents("PagedKeyValueCache", "key", Extents<4>{config.pages, config.kv_heads, config.page_size, config.head_dim});
    check_extents("PagedKeyValueCache", "value", Extents<4>{config.pages, config.kv_heads, config.page_size, config.value_dim});
    check(config.head_dim > 0 && config.page_size > 0, [&] {
      return "PagedKeyValueCache: head_dim is " + std::to_string(config.head_dim) + " and page_size " +
             std::to_string(config.page_size) + ", wanted both at least 1";
    });
    keys_.resize(config.pages, config.kv_heads, config.page_size, config.head_dim);
    values_.resize(config.pages, config.kv_heads, config.page_size, config.value_dim);
    users_.assign(static_cast<std::size_t>(config.pages), 0);
    for (Index page = config.pages; page-- > 0;) free_.push_back(page);
  }

  const Config& config() const { return config_; }
  Index free_pages() const { return static_cast<Index>(free_.size()); }
  Index length(Index sequence) const { return at(sequence, "length").length; }
  /// The pages of a sequence, in order.
  std::span<const Index> pages(Index sequence) const { return at(sequence, "pages").pages; }
  /// A page's rows of one head: (page_size, head_dim) and (page_size, value_dim).
  const T* key_rows(Index page, Index head) const {
    return keys_.data() + (page * config_.kv_heads + head) * config_.page_size * config_.head_dim;
  }
  const T* value_rows(Index page, Index head) const {
    return values_.data() + (page * config_.kv_heads + head) * config_.page_size * config_.value_dim;
  }

  /// A new, empty sequence's number.
  Index add() { return place({}); }
  /// A sequence that begins as `sequence`, whose pages it shares: nothing is copied.
  Index fork(Index sequence) {
    Sequence copy = at(sequence, "fork");
    for (const Index page : copy.pages) ++users_[static_cast<std::size_t>(page)];
    return place(std::move(copy));
  }
  /// Ends a sequence; pages that nobody else uses are free again.
  void release(Index sequence) {
    for (const Index page : at(sequence, "release").pages) drop(page);
    sequences_[static_cast<std::size_t>(sequence)].reset();
  }

  /// Beam search's step: sequence r of the result goes on from sequences[parents[r]]; the old ones end. Copies page numbers.
  std::vector<Index> reorder(std::span<const Index> sequences, std::span<const Index> parents) {
    const auto count = static_cast<Index>(sequences.size());
    for (const Index parent : parents) {
      check(parent >= 0 && parent < count, [&] {
        return "PagedKeyValueCache::reorder: parents holds " + std::to_string(parent) + ", wanted 0 to " + std::to_string(count - 1);
      });
    }
    for (const Index sequence : sequences) at(sequence, "reorder");
    std::vector<Index> next;
    for (const Index parent : parents) next.push_back(fork(sequences[static_cast<std::size_t>(parent)]));
    for (const Index sequence : sequences) release(sequence);
    return next;
  }

  /// Adds the steps of key (kv_heads, steps, head_dim) and value (kv_heads, steps, value_dim) to a sequence. A last page that
  /// is shared is copied first. Throws heed::Error on other shapes and where the pool has too few pages; then nothing has
  /// changed.
  void append(Index sequence, const std::type_identity_t<View<const T, 3>>& key,
              const std::type_identity_t<View<const T, 3>>& value) {
    Sequence& to = at(sequence, "append");
    const Index steps = key.dimension(1);
    check_shape("PagedKeyValueCache::append", "key", key.extents, Extents<3>{config_.kv_heads, -1, config_.head_dim});
    check_shape("PagedKeyValueCache::append", "value", value.extents, Extents<3>{config_.kv_heads, steps, config_.value_dim});
    check_input("PagedKeyValueCache::append", "key", key);
    check_input("PagedKeyValueCache::append", "value", value);
    if (steps == 0) return;
    take_pages(to, steps);
    for (Index t = 0; t < steps; ++t) {
      const Index page = to.pages[static_cast<std::size_t>((to.length + t) / config_.page_size)];
      const Index row = (to.length + t) % config_.page_size;
      for (Index h = 0; h < config_.kv_heads; ++h) {
        for (Index d = 0; d < config_.head_dim; ++d) keys_(page, h, row, d) = key(h, t, d);
        for (Index d = 0; d < config_.value_dim; ++d) values_(page, h, row, d) = value(h, t, d);
      }
    }
    to.length += steps;
  }

 private:
  struct Sequence {
    std::vector<Index> pages;
    Index length = 0;
  };

  Index place(Sequence sequence) {
    const auto unused = std::find_if(sequences_.begin(), sequences_.end(), [](const auto& s) { return !s.has_value(); });
    const Index number = unused - sequences_.begin();
    if (unused == sequences_.end()) sequences_.emplace_back();
    sequences_[static_cast<std::size_t>(number)] = std::move(sequence);
    return number;
  }
  const Sequence& at(Index sequence, const char* function) const {
    check(sequence >= 0 && sequence < static_cast<Index>(sequences_.size()) && sequences_[static_cast<std::size_t>(sequence)],
          [&] {
            return std::string("PagedKeyValueCache::") + function + ": sequence " + std::to_string(sequence) +
                   " is not in use, wanted one that add() or fork() gave";
          });
    return *sequences_[static_cast<std::size_t>(sequence)];
  }
  Sequence& at(Index sequence, const char* function) {
    return const_cast<Sequence&>(std::as_const(*this).at(sequence, function));
  }

  void drop(Index page) {
    if (--users_[static_cast<std::size_t>(page)] == 0) free_.push_back(page);
  }
  Index take() {
    const Index page = free_.back();
    free_.pop_back();
    users_[static_cast<std::size_t>(page)] = 1;
    return page;
  }
  /// Makes every page that the next steps write to this sequence's own.
  void take_pages(Sequence& sequence, Index steps) {
    const Index held = static_cast<Index>(sequence.pages.size());
    const Index wanted = (sequence.length + steps + config_.page_size - 1) / config_.page_size;
    const bool partial = sequence.length % config_.page_size != 0;
    const bool shared = partial && users_[static_cast<std::size_t>(sequence.pages.back())] > 1;
    const Index needed = wanted - held + (shared ? 1 : 0);
    check(needed <= free_pages(), [&] {
      return "PagedKeyValueCache::append: the pool has " + std::to_string(free_pages()) + " free pages, wanted " +
             std::to_string(needed);
    });
    if (shared) {
      const Index copy = take(), old = sequence.pages.back();
      const Index key_size = config_.kv_heads * config_.page_size * config_.head_dim;
      const Index value_size = config_.kv_heads * config_.page_size * config_.value_dim;
      std::copy_n(keys_.data() + old * key_size, key_size, keys_.data() + copy * key_size);
      std::copy_n(values_.data() + old * value_size, value_size, values_.data() + copy * value_size);
      drop(old);
      sequence.pages.back() = copy;
    }
    while (static_cast<Index>(sequence.pages.size()) < wanted) sequence.pages.push_back(take());
  }

  Config config_;
  Tensor<T, 4> keys_, values_;
  std::vector<Index> users_;  // sequences per page
  std::vector<Index> free_;
  std::vector<std::optional<Sequence>> sequences_;
};

}  // namespace heed::inline HEED_ABI
