#include "interrupt.hpp"

#include <unistd.h>

#include <csignal>

namespace translator {
namespace {

constexpr int interrupted_exit_code = 130;

volatile std::sig_atomic_t interrupts_left = 0;  // how many more Ctrl-C are only requests

extern "C" void on_interrupt(int) {
  if (interrupts_left == 0) _exit(interrupted_exit_code);
  interrupts_left = 0;
}

}  // namespace

void install_signal_handlers() {
  struct sigaction action {};
  action.sa_handler = on_interrupt;
  action.sa_flags = SA_RESTART;  // a write in progress is not cut short
  sigemptyset(&action.sa_mask);
  sigaction(SIGINT, &action, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);
}

GracefulInterrupt::GracefulInterrupt() { interrupts_left = 1; }
GracefulInterrupt::~GracefulInterrupt() { interrupts_left = 0; }
bool GracefulInterrupt::requested() const { return interrupts_left == 0; }

}  // namespace translator
