// A second file that includes everything: nothing in heed may be defined twice.

#include <heed/heed.hpp>

heed::Index other() { return heed::zeros<float, 2>({2, 3}).size(); }
