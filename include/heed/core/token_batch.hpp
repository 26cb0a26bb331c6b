#pragma once
// A batch of sentence pairs as token ids: what corpora make and translation models train on.

#include <vector>

#include <heed/core/tensor.hpp>

namespace heed::inline HEED_ABI {

/// Row b holds pair b; positions at or behind its length hold the pad id and never reach a result.
struct TokenBatch {
  Tensor<Index, 2> source;            // (batch, source_length)
  std::vector<Index> source_lengths;  // (batch), 1 to source_length
  Tensor<Index, 2> target_input;      // (batch, target_length): <s> t1 ... tn
  Tensor<Index, 2> target_output;     // (batch, target_length): t1 ... tn </s>
  std::vector<Index> target_lengths;  // (batch), 1 to target_length
};

}  // namespace heed::inline HEED_ABI
