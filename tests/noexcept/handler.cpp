// Runs one way of ending a broken contract without exceptions, and exits 0 when it went as promised.

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include <heed/core/tensor.hpp>
#include <heed/core/thread_pool.hpp>
#include <heed/core/workspace.hpp>
#include <heed/version.hpp>

namespace {

bool handled = false;

bool expected(const char* message) { return std::strcmp(message, "the reason") == 0; }

}  // namespace

int main(int argc, char** argv) {
  const char* const mode = argc > 1 ? argv[1] : "";
  if (heed::build_info().exceptions) return 2;
  heed::set_num_threads(2);
  heed::default_executor().parallel_for(4, [](heed::Index) {});

  // abort() must follow: in the modes where the handler returns, its signal is the success
  std::signal(SIGABRT, [](int) { std::_Exit(handled ? 0 : 3); });
  if (std::strcmp(mode, "leaves") == 0) {
    heed::set_error_handler([](const char* message) { std::_Exit(expected(message) ? 0 : 4); });
  } else if (std::strcmp(mode, "returns") == 0) {
    heed::set_error_handler([](const char* message) { handled = expected(message); });
  } else {
    handled = true;  // the default handler prints and returns
  }
  heed::fail("the reason");
}
