#include "imu2music/io/folder_lock.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <utility>

#include "error_text.hpp"
#include "support.hpp"

using namespace imu2music;

TEST_CASE("a folder has one writer at a time, in this process or another") {
  test::ScratchFolder scratch;
  const std::string folder = scratch.path().string();
  const auto refusal = [&] { return test::input_error([&] { FolderLock lock(folder, "somebody"); }); };
  const std::string taken =
      folder + ": somebody is writing there; wait until it has ended, or choose another folder";
  {
    FolderLock lock(folder, "somebody");
    CHECK(refusal() == taken);
    const FolderLock moved(std::move(lock));
    CHECK(moved.is_held());
    CHECK_FALSE(lock.is_held());
    CHECK(refusal() == taken);
    const pid_t child = ::fork();
    if (child == 0) ::_exit(refusal() == taken ? 0 : 1);
    int status = -1;
    REQUIRE(::waitpid(child, &status, 0) == child);
    CHECK(status == 0);
  }
  CHECK(refusal() == "no error");
  CHECK(test::contains(test::input_error([&] { FolderLock lock(folder + "/none", "somebody"); }),
                       folder + "/none: there is no such file"));
}
