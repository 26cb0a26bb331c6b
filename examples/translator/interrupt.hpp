#pragma once
// Ctrl-C. Commands end at once with exit code 130; while a GracefulInterrupt lives (training), the first Ctrl-C only
// asks for the end, so that the step is finished and the run saved, and the second ends the tool at once.

#include <stdexcept>

namespace translator {

/// Thrown where a command has come to a good place to stop after Ctrl-C; exit code 130.
struct Interrupted : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// Takes over SIGINT, and ignores SIGPIPE and SIGXFSZ: such writes report their error instead.
void install_signal_handlers();

class GracefulInterrupt {
 public:
  GracefulInterrupt();
  ~GracefulInterrupt();
  GracefulInterrupt(const GracefulInterrupt&) = delete;
  GracefulInterrupt& operator=(const GracefulInterrupt&) = delete;

  bool requested() const;
};

}  // namespace translator
