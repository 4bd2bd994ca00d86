#include "imu2music/train/prepare.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "support.hpp"
#include "train/pairs.hpp"

using namespace imu2music;
namespace fs = std::filesystem;

namespace {

const std::string score = "onset_s,offset_s,midi\n0,0.5,55\n0.5,1,57\n";

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("several sources make one data set; copies and damage are dropped") {
  test::ScratchFolder scratch;
  fs::create_directories(scratch / "a");
  fs::create_directories(scratch / "b");
  test::write_file(scratch / "a/one.csv", score);
  test::write_file(scratch / "a/two.csv", score + "1,2,60\n");
  test::write_file(scratch / "b/one.csv", score + "1,2,62\n");
  test::write_file(scratch / "b/copy.csv", score);
  test::write_file(scratch / "b/damaged.mid", "MThd\0\0");
  test::write_file(scratch / "b/wrong.csv", "onset_s,offset_s,midi\n0,1,x\n");
  const std::vector<std::string> sources = {scratch / "a", scratch / "b"};
  std::size_t last = 0;
  const Prepared prepared =
      prepare_dataset(sources, scratch / "d", {}, [&](std::size_t done, std::size_t of) {
        CHECK(done == last + 1);
        CHECK(of == 6);
        last = done;
      });
  CHECK(last == 6);
  REQUIRE(prepared.pairs.size() == 3);
  std::map<std::string, std::string> reasons;
  for (const DroppedSource& one : prepared.dropped) reasons[one.source] = one.reason;
  CHECK(reasons.at("b/copy.csv") == "has the same samples and notes as one");
  CHECK(contains(reasons.at("b/wrong.csv"), "wrong.csv: line 2"));
  CHECK(contains(reasons.at("b/damaged.mid"), "damaged.mid: "));
  const Dataset dataset(scratch / "d");
  CHECK(dataset.pairs() == prepared.pairs);
  CHECK(dataset.dropped().size() == 3);
  CHECK(dataset.pairs()[2].id == "one-2");
  // A folder that holds a data set is no source of one.
  const std::vector<std::string> again = {scratch.path().string()};
  for (const DroppedSource& one : prepare_dataset(again, scratch / "e").dropped)
    if (one.source.ends_with("/d")) CHECK(contains(one.reason, "prepared already"));
}

TEST_CASE("sources that are not there, or hold nothing, leave no trace") {
  test::ScratchFolder scratch;
  fs::create_directories(scratch / "a");
  test::write_file(scratch / "a/readme", "nothing");
  const auto message = [&](const std::vector<std::string>& sources) {
    try {
      prepare_dataset(sources, scratch / "d");
    } catch (const InputError& error) {
      return std::string(error.what());
    }
    return std::string("nothing was refused");
  };
  CHECK(contains(message({scratch / "a"}), "nothing in it makes a pair (a/readme: "));
  CHECK(contains(message({scratch / "none"}), "there is no such source"));
  CHECK(contains(message({}), "nothing in it"));
  test::write_file(scratch / "a/one.csv", score);
  CHECK_THROWS_AS(prepare_dataset(std::vector<std::string>{scratch / "a"}, scratch / "d", {},
                                  [](std::size_t, std::size_t) { throw Error("stopped"); }),
                  Error);
  std::size_t left = 0;
  for (const auto& entry : fs::directory_iterator(scratch.path())) left += entry.path().filename() != "a";
  CHECK(left == 0);
}

TEST_CASE("the violin takes: 32 pairs whose notes and samples are those of the files") {
  const std::string source = test::shared_file("data/violin-myo");
  if (source.empty()) return;
  test::ScratchFolder scratch;
  const Prepared prepared = prepare_dataset(std::vector<std::string>{source}, scratch / "d");
  REQUIRE(prepared.pairs.size() == 32);
  CHECK(prepared.dropped.empty());
  const Dataset dataset(scratch / "d");
  for (const char* performer : {"performer:1", "performer:s4"})
    CHECK(dataset.split(performer).test.size() == 8);
  CHECK(dataset.split("stroke:detache").test.size() == 4);
  double seconds = 0;
  for (std::size_t i = 0; i < 32; ++i) {
    const Pair pair = dataset.load(i);
    seconds += pair.info.seconds;
    const Recording original = read_recording(source + "/takes/" + pair.info.id + ".csv");
    REQUIRE(pair.motion.sensors.size() == 1);
    for (std::size_t c = 0; c < original.sensors[0].channels.size(); ++c)
      CHECK(pair.motion.sensors[0].channels[c].samples == original.sensors[0].channels[c].samples);
    CHECK(pair.info.notes == static_cast<std::int64_t>(pair.info.quality.at("score_notes_in_span")));
    CHECK(pair.info.seconds == pair.info.quality.at("duration_s"));
  }
  CHECK(seconds == doctest::Approx(729));
}

TEST_CASE("published music alone") {
  const std::string bach = test::shared_file("data/bach-violin/telmanyi-public-domain"),
                    mosa = test::shared_file("data/mosa-violin");
  if (bach.empty() || mosa.empty()) return;
  test::ScratchFolder scratch;
  const Prepared prepared = prepare_dataset(std::vector<std::string>{bach, mosa}, scratch / "d");
  CHECK(prepared.pairs.size() == 23 + 15);
  CHECK(prepared.dropped.empty());
  const Dataset dataset(scratch / "d");
  const Split split = dataset.split("performer:yv10");
  CHECK(split.test.size() == 15);
  for (const PairInfo& pair : dataset.pairs()) CHECK_FALSE(pair.has_motion);
}
