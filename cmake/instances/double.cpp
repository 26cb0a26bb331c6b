#include "instances.hpp"

namespace heed::inline HEED_ABI {

HEED_KERNEL_INSTANCES(template, double)

}  // namespace heed::inline HEED_ABI
