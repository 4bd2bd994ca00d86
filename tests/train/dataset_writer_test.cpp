#include "imu2music/train/dataset_writer.hpp"

#include <doctest/doctest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <limits>
#include <string>
#include <tuple>
#include <vector>

#include "support.hpp"
#include "train/pairs.hpp"

using namespace imu2music;
namespace fs = std::filesystem;

namespace {

std::vector<std::string> names_in(const fs::path& folder) {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder)) names.push_back(entry.path().filename().string());
  std::sort(names.begin(), names.end());
  return names;
}

std::string refusal(const std::string& folder) {
  try {
    DatasetWriter writer(folder);
  } catch (const InputError& error) {
    return error.what();
  }
  return "nothing was refused";
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("nothing appears before commit, and nothing is left without it") {
  test::ScratchFolder scratch;
  {
    DatasetWriter writer(scratch / "d");
    writer.add(test::pair("x", "p", "q", "", 1));
    CHECK_FALSE(fs::exists(scratch / "d"));
  }
  CHECK(names_in(scratch.path()).empty());
  {
    DatasetWriter writer(scratch / "deep/er/d");
    writer.add(test::pair("x", "p", "q", "", 1));
    writer.commit();
  }
  CHECK(names_in(scratch.path() / "deep/er") == std::vector<std::string>{"d"});
  CHECK(names_in(scratch.path() / "deep/er/d") ==
        std::vector<std::string>{"dataset.json", "pairs", "splits"});
  {
    DatasetWriter writer(scratch / "none");
    CHECK_THROWS_AS(writer.commit(), InputError);
  }
  CHECK_FALSE(fs::exists(scratch / "none"));
}

TEST_CASE("a pair that could not be read back is not written") {
  test::ScratchFolder scratch;
  DatasetWriter writer(scratch / "d");
  for (const double seconds :
       {0.0, -1.0, 1e7, std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity()}) {
    Pair pair = test::pair("x", "p", "q", "", 1);
    pair.info.seconds = seconds;
    CHECK_THROWS_AS(writer.add(pair), InputError);
  }
  CHECK(writer.pairs().empty());
}

TEST_CASE("a data set is replaced whole; nothing else is") {
  test::ScratchFolder scratch;
  const auto write = [&](const std::string& id) {
    DatasetWriter writer(scratch / "d");
    writer.add(test::pair(id, "p", "q", "", 1));
    writer.commit();
  };
  write("first");
  write("second");
  CHECK(Dataset(scratch / "d").pairs()[0].id == "second");
  CHECK(names_in(scratch.path() / "d/pairs") ==
        std::vector<std::string>{"second.notes.csv", "second.safetensors"});
  CHECK(names_in(scratch.path()) == std::vector<std::string>{"d"});

  test::write_file(scratch / "d/thesis.tex", "years of work");
  CHECK(contains(refusal(scratch / "d"), "thesis.tex"));
  CHECK(fs::exists(scratch / "d/thesis.tex"));
  fs::remove(scratch / "d/thesis.tex");
  for (const char* own : {"d/splits/mine.json", "d/pairs/notes.txt"}) {
    test::write_file(scratch / own, "mine");
    CHECK(contains(refusal(scratch / "d"), std::string("'") + (own + 2) + "', which is no part"));
    fs::remove(scratch / own);
  }
  fs::create_directory(scratch / "other");
  CHECK_NOTHROW(DatasetWriter(scratch / "other"));  // empty
  test::write_file(scratch / "other/a", "a");
  CHECK(contains(refusal(scratch / "other"), "no data set"));
  test::write_file(scratch / "other/dataset.json", "{\"format\": \"mine\"}");
  CHECK(contains(refusal(scratch / "other"), "no data set"));
  CHECK(contains(refusal(scratch / "other/a"), "is a file"));
  CHECK(contains(refusal(""), "empty"));
  CHECK(contains(refusal(scratch / "other/a/b"), "cannot be made"));
}

TEST_CASE("what has the name of a data set's file or folder and is none is not replaced") {
  test::ScratchFolder scratch;
  {
    DatasetWriter writer(scratch / "d");
    writer.add(test::pair("x", "p", "q", "", 1));
    writer.commit();
  }
  CHECK(refusal(scratch / "d") == "nothing was refused");
  fs::rename(scratch / "d/splits/all.json", scratch / "all.json");
  fs::create_directory(scratch / "d/splits/all.json");
  test::write_file(scratch / "d/splits/all.json/thesis.tex", "years of work");
  CHECK(contains(refusal(scratch / "d"), "holds 'splits/all.json', which is no file of its own"));
  fs::remove_all(scratch / "d/splits");
  test::write_file(scratch / "d/splits", "mine");
  CHECK(contains(refusal(scratch / "d"), "holds 'splits', which is no part"));
  fs::remove(scratch / "d/splits");
  fs::rename(scratch / "d/pairs", scratch / "pairs");
  fs::create_directory_symlink("../pairs", scratch / "d/pairs");
  CHECK(contains(refusal(scratch / "d"), "holds 'pairs', which is no part"));
  fs::remove(scratch / "d/pairs");
  CHECK(refusal(scratch / "d") == "nothing was refused");
  fs::rename(scratch / "d/dataset.json", scratch / "list.json");
  fs::create_symlink("../list.json", scratch / "d/dataset.json");
  CHECK(contains(refusal(scratch / "d"), "is no data set"));
}

TEST_CASE("a data set that cannot be removed is not replaced") {
  if (::geteuid() == 0) return;  // who may do everything
  test::ScratchFolder scratch;
  {
    DatasetWriter writer(scratch / "d");
    writer.add(test::pair("x", "p", "q", "", 1));
    writer.commit();
  }
  for (const auto& [part, mode, fault] :
       std::vector<std::tuple<const char*, int, const char*>>{{"d/pairs", 0, "cannot be read"},
                                                              {"d/splits", 0500, "cannot be replaced"},
                                                              {"d", 0500, "cannot be"}}) {
    INFO(part);
    fs::permissions(scratch / part, static_cast<fs::perms>(mode));
    CHECK(contains(refusal(scratch / "d"), std::string(": ") + fault));
    fs::permissions(scratch / part, fs::perms::owner_all);
  }
}

TEST_CASE("a folder in whose place none can be put is refused before any work") {
  test::ScratchFolder scratch;
  fs::create_directory(scratch / "sub");
  for (const std::string folder : {".", "..", "/", "./", "sub/.", "sub/.."})
    CHECK(contains(refusal(folder.starts_with("sub") ? scratch / folder : folder),
                   "names no folder of its own"));
  CHECK(contains(refusal("/proc"), "/proc: is a mount point"));
  fs::create_directory_symlink("circle", scratch / "circle");
  CHECK(contains(refusal(scratch / "circle"), "cannot be made"));
  CHECK(contains(refusal(scratch / std::string(300, 'x')), "cannot be made"));
}

TEST_CASE("a link stays, and what it leads to is written") {
  test::ScratchFolder scratch;
  fs::create_directory(scratch / "empty");
  fs::create_directory_symlink("empty", scratch / "to_empty");
  fs::create_directory_symlink("to_empty/", scratch / "to_link");
  fs::create_directory_symlink("new/d", scratch / "dangling");
  const auto write = [&](const std::string& name, const std::string& id) {
    DatasetWriter writer(scratch / name);
    writer.add(test::pair(id, "p", "q", "", 1));
    writer.commit();
    CHECK(fs::is_symlink(scratch / name));
    CHECK(Dataset(scratch / name).pairs()[0].id == id);
  };
  write("to_empty", "first");
  write("to_link", "second");
  CHECK(Dataset(scratch / "empty").pairs()[0].id == "second");
  write("dangling", "third");
  CHECK(Dataset(scratch / "new/d").pairs()[0].id == "third");
  CHECK(names_in(scratch.path()) ==
        std::vector<std::string>{"dangling", "empty", "new", "to_empty", "to_link"});

  if (!fs::is_directory("/dev/shm") || ::access("/dev/shm", W_OK) != 0) return;
  const std::string other = "/dev/shm/imu2music-test-" + std::to_string(::getpid());  // another disk
  fs::create_directory_symlink(other + "/d", scratch / "other");
  write("other", "fourth");
  write("other", "fifth");
  CHECK(names_in(other) == std::vector<std::string>{"d"});
  fs::remove_all(other);
}

TEST_CASE("folders above that were made for nothing go again") {
  test::ScratchFolder scratch;
  {
    DatasetWriter writer(scratch / "a/b/c");
    CHECK(fs::exists(scratch / "a/b"));
  }
  CHECK(names_in(scratch.path()).empty());
  {
    DatasetWriter writer(scratch / "a/b/c");
    test::write_file(scratch / "a/mine", "mine");
  }
  CHECK(names_in(scratch / "a") == std::vector<std::string>{"mine"});
  CHECK(contains(refusal(scratch / "a/new/mine/../../mine/d"), "cannot be made"));
  CHECK(names_in(scratch / "a") == std::vector<std::string>{"mine"});
}

TEST_CASE("a fault of writing names the folder that was asked for") {
  test::ScratchFolder scratch;
  DatasetWriter writer(scratch / "d");
  fs::remove_all(scratch.path() / names_in(scratch.path()).at(0) / "pairs");
  try {
    writer.add(test::pair("x", "p", "q", "", 1));
    FAIL("was written");
  } catch (const InputError& error) {
    CHECK(contains(error.what(), scratch / "d/pairs/x.notes.csv: cannot be written"));
    CHECK_FALSE(contains(error.what(), ".tmp"));
  }
}

TEST_CASE("ids become file names, each once") {
  test::ScratchFolder scratch;
  DatasetWriter writer(scratch / "d");
  CHECK(writer.add(test::pair("take 1/übung", "p", "q", "", 1)).id == "take-1-bung");
  CHECK(writer.add(test::pair("Take 1/bung", "p", "q", "", 2)).id == "Take-1-bung-2");
  CHECK(writer.add(test::pair("..", "p", "q", "", 3)).id == "unnamed");
  CHECK(writer.add(test::pair("", "p", "q", "", 4)).id == "unnamed-2");
  CHECK(writer.add(test::pair("Wait...what", "p", "q", "", 5)).id == "Wait.what");
  CHECK(writer.add(test::pair("Op. 1 No. 2.", "p", "q", "", 6)).id == "Op.-1-No.-2");
  CHECK(writer.add(test::pair(std::string(119, 'x') + ".y", "p", "q", "", 7)).id == std::string(119, 'x'));
  writer.commit();
  const Dataset dataset(scratch / "d");
  REQUIRE(dataset.pairs().size() == 7);
  for (std::size_t i = 0; i < 7; ++i) CHECK(dataset.load(i).notes.size() == 12);
}

TEST_CASE("the same pairs give the same bytes") {
  test::ScratchFolder scratch;
  for (const char* name : {"d", "e"}) {
    DatasetWriter writer(scratch / name);
    for (int i = 0; i < 5; ++i)
      writer.add(test::pair("t" + std::to_string(i), i % 2 == 0 ? "a" : "b", "q" + std::to_string(i), "",
                            static_cast<std::uint64_t>(i)));
    writer.commit();
  }
  CHECK(test::run_command("diff -r '" + (scratch / "d") + "' '" + (scratch / "e") + "'").status == 0);
}

TEST_CASE("splits are written for each performer, piece and stroke, but not for hundreds of them") {
  test::ScratchFolder scratch;
  DatasetWriter writer(scratch / "d");
  for (int i = 0; i < 70; ++i)
    writer.add(test::pair("t" + std::to_string(i), i % 2 == 0 ? "a" : "b", "q" + std::to_string(i),
                          i % 3 == 0 ? "up" : "down", static_cast<std::uint64_t>(i), false));
  writer.commit();
  CHECK(writer.splits() ==
        std::vector<std::string>{"all", "performer:a", "performer:b", "stroke:down", "stroke:up"});
  const Dataset dataset(scratch / "d");
  CHECK(dataset.split("piece:q17").test == std::vector<std::size_t>{17});  // made when asked for
}
