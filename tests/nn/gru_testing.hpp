#pragma once
// What the GRU's tests share.

#include <heed/nn/gru.hpp>
#include "nn/layer_testing.hpp"

namespace heed_test {

/// A GRU with the same weights every time.
template <class T>
heed::Gru<T> make_gru(typename heed::Gru<T>::Config config) {
  heed::Rng rng{7, 0};
  return heed::Gru<T>(config, rng);
}

}  // namespace heed_test
