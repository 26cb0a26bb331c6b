#pragma once
// The executor of calls that are given none. The thread pool behind it (thread_pool.hpp) takes a second to compile, so a
// program with HEED_EXTERN_TEMPLATES (docs/building.md) compiles it in one file only.

#include <heed/core/executor.hpp>
#if !defined(HEED_EXTERN_TEMPLATES)
#include <heed/core/thread_pool.hpp>
#else

namespace heed::inline HEED_ABI {

ExecutorRef default_executor();
void set_num_threads(Index threads);
Index num_threads();

}  // namespace heed::inline HEED_ABI

#endif
