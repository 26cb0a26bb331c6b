#pragma once
// Compiles heed's kernels and attention calls for float and double. A program whose files are all compiled with
// HEED_EXTERN_TEMPLATES includes this in exactly one of them, which holds nothing else (docs/building.md).

#if !defined(HEED_EXTERN_TEMPLATES)
#define HEED_EXTERN_TEMPLATES
#endif

#include <heed/attention/scaled_dot_product_backward.hpp>
#include <heed/core/thread_pool.hpp>
#include <heed/kernels/instances.hpp>

namespace heed::inline HEED_ABI {

HEED_KERNEL_INSTANCES(template, float)
HEED_KERNEL_INSTANCES(template, double)
HEED_ATTEND_INSTANCES(template, float)
HEED_ATTEND_INSTANCES(template, double)
HEED_ATTEND_BACKWARD_INSTANCES(template, float)
HEED_ATTEND_BACKWARD_INSTANCES(template, double)

namespace instances_detail {

// Inline functions are compiled where their addresses are taken.
[[maybe_unused, gnu::used]] static ExecutorRef (*const default_executor_address)() = &default_executor;
[[maybe_unused, gnu::used]] static void (*const set_num_threads_address)(Index) = &set_num_threads;
[[maybe_unused, gnu::used]] static Index (*const num_threads_address)() = &num_threads;

}  // namespace instances_detail

}  // namespace heed::inline HEED_ABI
