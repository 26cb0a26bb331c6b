#pragma once
// Everything from core to train. text/, io/ and distributed/ are included by name.

#include <heed/core/tensor.hpp>
#include <heed/core/thread_pool.hpp>
#include <heed/version.hpp>
