#include "instances.hpp"

namespace heed::inline HEED_ABI {

HEED_KERNEL_INSTANCES(template, float)

}  // namespace heed::inline HEED_ABI
