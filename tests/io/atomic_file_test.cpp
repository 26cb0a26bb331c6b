#include <heed/io/atomic_file.hpp>

#include <chrono>
#include <csignal>
#include <thread>

#include <sys/resource.h>
#include <sys/wait.h>

#include <heed/io/safetensors.hpp>
#include <heed/io/safetensors_writer.hpp>

#include "io/temp_folder.hpp"
#include "support/catch.hpp"

using heed::AtomicFile;
using heed_test::message_of;
using heed_test::read_bytes;
using heed_test::TempFolder;

namespace {

/// Runs `body` in a forked process that ends with its result.
template <class Body>
pid_t in_child(Body&& body) {
  const pid_t child = ::fork();
  if (child == 0) {
    try {
      ::_exit(body());
    } catch (...) {
      ::_exit(99);  // a child must never go on as a second test program
    }
  }
  return child;
}
int wait_for(pid_t child) {
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

/// Saves files of 1 MiB full of one number, another number each time, for ever.
[[noreturn]] void save_forever(const std::filesystem::path& path, float first) {
  heed::Tensor<float, 1> tensor(Eigen::Index{1} << 18);
  for (float value = first;; value += 1) {
    tensor.setConstant(value);
    heed::SafetensorsWriter writer;
    writer.add("x", tensor);
    writer.save(path);
  }
}
void check_whole(const std::filesystem::path& path) {
  const auto values = heed::SafetensorsFile::read(path).values<float>("x");
  CHECK(values.size() == std::size_t{1} << 18);
  CHECK(std::all_of(values.begin(), values.end(), [&](float value) { return value == values[0]; }));
}

}  // namespace

TEST_CASE("a file appears at commit, whole, and replaces the one before", "[io]") {
  const TempFolder folder;
  heed::write_file(folder / "f", "old");
  {
    AtomicFile file(folder / "f");
    file.write("new ");
    CHECK(read_bytes(folder / "f") == "old");
    file.write("text");
    file.commit();
  }
  CHECK(read_bytes(folder / "f") == "new text");
  CHECK(folder.file_count() == 1);
}

TEST_CASE("a file without a commit leaves nothing", "[io]") {
  const TempFolder folder;
  { AtomicFile(folder / "f").write("half"); }
  CHECK(folder.file_count() == 0);
  heed::write_file(folder / "f", "old");
  { AtomicFile(folder / "f").write("half"); }
  CHECK(read_bytes(folder / "f") == "old");
  CHECK(folder.file_count() == 1);
}

TEST_CASE("E12: a path that cannot be written is found before any work", "[io]") {
  const TempFolder folder;
  for (const std::filesystem::path& path : {folder / "missing" / "m", folder.path(), std::filesystem::path("/dev/full"),
                                            std::filesystem::path("/proc/m")}) {
    const std::string message = message_of<std::system_error>([&] { heed::check_writable(path); });
    INFO("message: " << message);
    CHECK(message.find(path.string()) != std::string::npos);
  }
  heed::check_writable(folder / "m");
  CHECK(folder.file_count() == 0);
  if (::geteuid() != 0) {
    std::filesystem::permissions(folder.path(),
                                 std::filesystem::perms::owner_read | std::filesystem::perms::owner_exec);
    CHECK_THROWS_AS(heed::check_writable(folder / "m"), std::system_error);
    std::filesystem::permissions(folder.path(), std::filesystem::perms::owner_all);
  }
}

TEST_CASE("permissions of the replaced file stay, and a link stays a link", "[io]") {
  const TempFolder folder;
  heed::write_file(folder / "f", "old");
  std::filesystem::permissions(folder / "f", std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
  std::filesystem::create_symlink("f", folder / "link");
  heed::write_file(folder / "link", "new");
  CHECK(std::filesystem::is_symlink(folder / "link"));
  CHECK(read_bytes(folder / "f") == "new");
  CHECK((std::filesystem::status(folder / "f").permissions() & std::filesystem::perms::others_read) ==
        std::filesystem::perms::none);
}

TEST_CASE("E21: a full disk leaves the old file and no temp file", "[io]") {
  const TempFolder folder;
  heed::write_file(folder / "f", "old");
  const int code = wait_for(in_child([&] {
    std::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{100'000, 100'000};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    try {
      heed::write_file(folder / "f", std::string(1'000'000, 'x'));
    } catch (const std::system_error& error) {
      return error.code().value() == EFBIG ? 1 : 2;
    }
    return 0;
  }));
  CHECK(code == 1);
  CHECK(read_bytes(folder / "f") == "old");
  CHECK(folder.file_count() == 1);
}

TEST_CASE("E22: kill -9 during a save loses nothing, and what it leaves goes at the next save", "[io]") {
  const TempFolder folder;
  heed::Tensor<float, 1> tensor(Eigen::Index{1} << 18);
  tensor.setConstant(1);
  heed::SafetensorsWriter writer;
  writer.add("x", tensor);
  writer.save(folder / "m");
  for (int round = 0; round < 15; ++round) {
    const pid_t child = in_child([&]() -> int { save_forever(folder / "m", 10.0F); });
    std::this_thread::sleep_for(std::chrono::milliseconds(5 + 3 * round));
    ::kill(child, SIGKILL);
    CHECK(wait_for(child) == -SIGKILL);
    check_whole(folder / "m");
  }
  { AtomicFile keep(folder / "m"); }
  CHECK(folder.file_count() == 1);
}

TEST_CASE("the temp file of a killed process is removed, that of a living one is not", "[io]") {
  const TempFolder folder;
  int ready[2];
  REQUIRE(::pipe(ready) == 0);
  const pid_t child = in_child([&]() -> int {
    AtomicFile file(folder / "m");
    file.write("half");
    static_cast<void>(!::write(ready[1], "x", 1));
    for (;;) ::pause();
  });
  char byte = 0;
  REQUIRE(::read(ready[0], &byte, 1) == 1);
  heed::write_file(folder / "other", "text");
  CHECK(folder.file_count() == 2);
  ::kill(child, SIGKILL);
  wait_for(child);
  heed::write_file(folder / "other", "text");
  CHECK(folder.file_count() == 1);
  ::close(ready[0]);
  ::close(ready[1]);
}

TEST_CASE("only abandoned temp files of heed are removed", "[io]") {
  const TempFolder folder;
  const std::string own = ".heed-tmp-" + std::to_string(::getpid()) + "-99-m";
  for (const std::string& name : {std::string(".heed-tmp-notes"), std::string(".heed-tmp--1-m"), own}) {
    heed_test::write_bytes(folder / name, "text");
  }
  heed::write_file(folder / "m", "text");
  CHECK(folder.file_count() == 4);
  std::filesystem::last_write_time(folder / own, std::filesystem::file_time_type::clock::now() - std::chrono::hours(1));
  heed::write_file(folder / "m", "text");  // an old unlocked file of our number: another life of that number
  CHECK(folder.file_count() == 3);
}

TEST_CASE("E24: two processes that save to one path leave one whole file", "[io]") {
  const TempFolder folder;
  const pid_t first = in_child([&]() -> int { save_forever(folder / "m", 1.0F); });
  const pid_t second = in_child([&]() -> int { save_forever(folder / "m", 1000.0F); });
  while (!std::filesystem::exists(folder / "m")) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  for (int round = 0; round < 20; ++round) {
    check_whole(folder / "m");
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  ::kill(first, SIGKILL);
  ::kill(second, SIGKILL);
  wait_for(first);
  wait_for(second);
  check_whole(folder / "m");
}
