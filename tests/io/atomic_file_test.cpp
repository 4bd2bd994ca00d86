// AtomicFile: the target appears whole or not at all, and every refusal names file and remedy.
#include "imu2music/io/atomic_file.hpp"

#include <sys/resource.h>

#include <csignal>
#include <deque>

#include "support.hpp"

using namespace imu2music;
namespace fs = std::filesystem;

namespace {

int entries_in(const test::ScratchFolder& folder) {
  int count = 0;
  for (const auto& entry : fs::directory_iterator(folder.path()))
    count += entry.exists() || entry.is_symlink();
  return count;
}

std::string refusal_of(const std::string& path) {
  try {
    AtomicFile file(path);
  } catch (const InputError& error) {
    return error.what();
  }
  return "accepted";
}

}  // namespace

TEST_CASE("a committed file holds all that was written and leaves nothing beside it") {
  test::ScratchFolder scratch;
  AtomicFile file(scratch / "a.bin");
  std::string expected;
  for (int size : {0, 1, 100, 65535, 65536, 65537, 200000, 3}) {
    std::string piece(static_cast<std::size_t>(size), static_cast<char>('a' + size % 26));
    file.write(piece);
    expected += piece;
  }
  CHECK_FALSE(fs::exists(scratch / "a.bin"));
  file.commit(true);
  CHECK(test::read_file(scratch / "a.bin") == expected);
  CHECK(entries_in(scratch) == 1);
  CHECK_THROWS_AS(file.commit(), Error);
  CHECK_THROWS_AS(file.write("x"), Error);
}

TEST_CASE("without commit the older file stays and the temporary goes") {
  test::ScratchFolder scratch;
  test::write_file(scratch / "a", "old");
  {
    AtomicFile file(scratch / "a");
    file.write(std::string(100000, 'x'));
    CHECK(entries_in(scratch) == 2);
  }
  CHECK(test::read_file(scratch / "a") == "old");
  CHECK(entries_in(scratch) == 1);
}

TEST_CASE("two writers of one target do not mix; the last commit stands") {
  test::ScratchFolder scratch;
  AtomicFile first(scratch / "a"), second(scratch / "a");
  first.write("first");
  second.write("second");
  second.commit();
  first.commit();
  CHECK(test::read_file(scratch / "a") == "first");
  CHECK(entries_in(scratch) == 1);
}

TEST_CASE("of several files none appears where one cannot be completed") {
  test::ScratchFolder scratch;
  for (const bool whole : {false, true}) {
    std::deque<AtomicFile> files;
    for (const char* name : {"a", "b"}) files.emplace_back(scratch / name).write(name);
    if (!whole && !fs::exists("/dev/full")) continue;
    if (!whole) {
      files.emplace_back("/dev/full").write("x");
      CHECK_THROWS_AS(commit_all(files), InputError);
    } else {
      commit_all(files, true);
    }
    files.clear();
    CHECK(entries_in(scratch) == (whole ? 2 : 0));
  }
  CHECK(test::read_file(scratch / "b") == "b");
  CHECK_FALSE(hold_signal(SIGTERM));
}

TEST_CASE("a handler removes the temporaries of a hundred files") {
  test::ScratchFolder scratch;
  std::deque<AtomicFile> files;
  for (int i = 0; i < 100; ++i) files.emplace_back(scratch / std::to_string(i));
  CHECK(entries_in(scratch) == 100);
  remove_temporaries();
  CHECK(entries_in(scratch) == 0);
}

TEST_CASE("the mode follows the umask") {
  test::ScratchFolder scratch;
  mode_t before = ::umask(027);
  {
    AtomicFile file(scratch / "a");
    file.commit();
  }
  ::umask(before);
  CHECK((static_cast<int>(fs::status(scratch / "a").permissions()) & 0777) == 0640);
}

TEST_CASE("symbolic links are followed, also dangling ones") {
  test::ScratchFolder scratch;
  fs::create_directory(scratch / "folder");
  fs::create_symlink("folder/target", scratch / "link");
  for (const char* text : {"one", "two"}) {
    AtomicFile file(scratch / "link");
    file.write(text);
    file.commit();
    CHECK(fs::is_symlink(scratch / "link"));
    CHECK(test::read_file(scratch / "folder/target") == text);
  }
  fs::create_symlink("round", scratch / "round");
  CHECK(refusal_of(scratch / "round").find("circle") != std::string::npos);
}

TEST_CASE("devices and pipes are written directly") {
  AtomicFile null("/dev/null");
  null.write("nothing");
  null.commit(true);
  CHECK(fs::is_character_file("/dev/null"));
}

TEST_CASE("a stream that is open already is continued, even where it is a regular file") {
  test::ScratchFolder scratch;
  int number = ::open((scratch / "a").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  REQUIRE(number >= 0);
  REQUIRE(::write(number, "before ", 7) == 7);
  for (const char* folder : {"/dev/fd/", "/proc/self/fd/"}) {
    AtomicFile file(folder + std::to_string(number));
    file.write("x");
    file.commit();
  }
  REQUIRE(::write(number, " after", 6) == 6);
  ::close(number);
  CHECK(test::read_file(scratch / "a") == "before xx after");
  AtomicFile output("/dev/stdout");
  output.commit();
  CHECK(::fcntl(1, F_GETFD) >= 0);  // still open
  CHECK(refusal_of("/dev/fd/" + std::to_string(number)).find("not open for writing") != std::string::npos);
  CHECK(refusal_of("/dev/fd/x").find("cannot be written") != std::string::npos);
}

TEST_CASE("a full device is a refusal that speaks of space") {
  if (!fs::exists("/dev/full")) return;
  AtomicFile full("/dev/full");
  full.write("x");
  CHECK_THROWS_WITH_AS(
      full.commit(),
      "/dev/full: cannot be written (No space left on device); free space on that disk, or choose another",
      InputError);
}

TEST_CASE("a file size limit is met on the way: refused, nothing left") {
  test::ScratchFolder scratch;
  rlimit before{};
  REQUIRE(getrlimit(RLIMIT_FSIZE, &before) == 0);
  auto handler = std::signal(SIGXFSZ, SIG_IGN);
  rlimit small = before;
  small.rlim_cur = 100000;
  REQUIRE(setrlimit(RLIMIT_FSIZE, &small) == 0);
  bool refused = false;
  try {
    AtomicFile file(scratch / "a");
    file.write(std::string(300000, 'x'));
    file.commit();
  } catch (const InputError& error) {
    refused = std::string(error.what()).find("File too large") != std::string::npos;
  }
  setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, handler);
  CHECK(refused);
  CHECK(entries_in(scratch) == 0);
}

TEST_CASE("unwritable targets are refused in the constructor, each with its remedy") {
  test::ScratchFolder scratch;
  test::write_file(scratch / "file", "x");
  CHECK(refusal_of(scratch / "missing/a") ==
        (scratch / "missing/a") + ": cannot be written (No such file or directory); make the folder " +
            (scratch / "missing") + " first, or choose another");
  CHECK(refusal_of(scratch.path().string()).find("name a file, not a folder") != std::string::npos);
  CHECK(refusal_of((scratch / "new") + "/").find("name a file, not a folder") != std::string::npos);
  CHECK(refusal_of(scratch / "file/a").find("a part of its path is a file") != std::string::npos);
  CHECK(refusal_of(scratch / std::string(256, 'n')).find("shorter name") != std::string::npos);
  CHECK(refusal_of("").find("empty file name") != std::string::npos);
  CHECK(refusal_of("/proc/no-such-file").find("/proc/no-such-file: cannot be written") == 0);
  CHECK(entries_in(scratch) == 1);
  {
    AtomicFile file(scratch / std::string(255, 'n'));  // the longest name there is
    file.commit();
  }
  CHECK(entries_in(scratch) == 2);
}

TEST_CASE("a folder or file without permission is refused") {
  if (::geteuid() == 0) {
    MESSAGE("skipped: root may write everywhere");
    return;
  }
  test::ScratchFolder scratch;
  fs::create_directory(scratch / "closed");
  fs::permissions(scratch / "closed", fs::perms::owner_read | fs::perms::owner_exec);
  CHECK(refusal_of(scratch / "closed/a") ==
        (scratch / "closed/a") + ": cannot be written (Permission denied); choose a writable folder");
  test::write_file(scratch / "kept", "x");
  fs::permissions(scratch / "kept", fs::perms::owner_read);
  CHECK(refusal_of(scratch / "kept").find("Permission denied") != std::string::npos);
}

TEST_CASE("another's file in a folder such as /tmp is refused at once") {
  if (::geteuid() != 0) {
    MESSAGE("skipped: only root can have files of another");
    return;
  }
  test::ScratchFolder scratch;
  const auto everybody = fs::perms::all | fs::perms::sticky_bit;
  fs::permissions(scratch.path(), everybody);
  test::write_file(scratch / "theirs", "x");
  fs::permissions(scratch / "theirs", fs::perms::all);
  REQUIRE(::seteuid(65534) == 0);
  const std::string theirs = refusal_of(scratch / "theirs"), own = refusal_of(scratch / "own");
  REQUIRE(::seteuid(0) == 0);
  CHECK(theirs ==
        (scratch / "theirs") + ": cannot be written (Operation not permitted); choose a writable folder");
  CHECK(own == "accepted");
}
