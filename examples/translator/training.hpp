#pragma once
// The train command's work: from options and files to a saved model.

#include "options.hpp"

namespace translator {

void run_training(TrainOptions options);

}  // namespace translator
