#pragma once
// Heed's own tests and examples share one copy of each kernel (float.cpp, double.cpp), which their precompiled headers
// declare by this (cmake/programs.cmake). Users have heed/instances.hpp, which shares the calls above the kernels too.

#include <heed/kernels/instances.hpp>

namespace heed::inline HEED_ABI {

HEED_KERNEL_INSTANCES(extern template, float)
HEED_KERNEL_INSTANCES(extern template, double)

}  // namespace heed::inline HEED_ABI
