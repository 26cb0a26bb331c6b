#include <heed/instances.hpp>
