// heed-translate: trains, runs and inspects GRU sequence-to-sequence translators with attention.
// Exit codes: 0 done, 1 wrong data or failed run, 2 wrong usage, 130 interrupted.

#include <exception>
#include <new>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include <heed/version.hpp>

#include "console.hpp"
#include "interrupt.hpp"
#include "options.hpp"

namespace translator {
namespace {

enum ExitCode : int { done = 0, failed = 1, wrong_usage = 2, interrupted = 130 };

constexpr const char* examples = R"(Examples:
  heed-translate demo
      Train on the phrasebook that comes with heed and translate, in a minute.
  heed-translate train --data train.tsv --valid valid.tsv --model m.safetensors
      Train on sentence pairs of your own: one pair per line, a tab between.
  heed-translate translate --model m.safetensors "How are you?"
  heed-translate translate --model m.safetensors --input in.txt --output out.txt
  heed-translate evaluate --model m.safetensors --data test.tsv --beam 5

heed-translate COMMAND --help says more about each.)";

int run(int argc, char** argv) {
  CLI::App app("Trains and runs small neural translators on the CPU.", "heed-translate");
  app.set_version_flag("--version", [] { return "heed-translate of " + heed::build_info().text(); });
  app.footer(examples);
  app.require_subcommand(1);
  const std::vector<Command> commands{demo_command(app),     train_command(app),       translate_command(app),
                                      evaluate_command(app), interactive_command(app), inspect_command(app)};
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& help) {
    app.exit(help);
    flush_output();
    return done;
  } catch (const CLI::ParseError& problem) {
    print_error(usage_message(app, problem));
    return wrong_usage;
  }
  for (const Command& command : commands) {
    if (command.app->parsed()) command.run();
  }
  flush_output();
  return done;
}

}  // namespace
}  // namespace translator

int main(int argc, char** argv) {
  using namespace translator;
  install_signal_handlers();
  try {
    return run(argc, argv);
  } catch (const OutputClosed&) {
    return done;
  } catch (const Interrupted& end) {
    print_error(end.what());
    return interrupted;
  } catch (const UsageError& problem) {
    print_error(problem.what());
    return wrong_usage;
  } catch (const std::bad_alloc&) {
    print_error("not enough memory");
    return failed;
  } catch (const std::exception& problem) {
    print_error(problem.what());
    return failed;
  }
}
