#include "imu2music/train/prepare.hpp"

#include <doctest/doctest.h>

#include <algorithm>
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
        if (of == 0) return;  // sources are still searched
        CHECK(done == std::min<std::size_t>(last + 1, 6));  // with all of them while splits are written
        CHECK(of == 6);
        last = done;
      });
  CHECK(last == 6);
  REQUIRE(prepared.pairs.size() == 3);
  std::map<std::string, std::string> reasons;
  for (const DroppedSource& one : prepared.dropped) reasons[one.source] = one.reason;
  CHECK(reasons.at("b/copy.csv") == "has the same samples and notes as one");
  CHECK(reasons.at("b/wrong.csv").starts_with("line 2"));
  CHECK_FALSE(contains(reasons.at("b/damaged.mid"), "damaged.mid: "));  // which stands before it
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

TEST_CASE("what cannot be written ends it all, and the older data set stays") {
  test::ScratchFolder scratch;
  fs::create_directories(scratch / "a");
  for (int i = 0; i < 3; ++i)
    test::write_file(scratch / "a/" + std::to_string(i) + ".csv",
                     score + "1,2," + std::to_string(60 + i) + "\n");
  const std::vector<std::string> sources = {scratch / "a"};
  CHECK(prepare_dataset(sources, scratch / "d").pairs.size() == 3);
  std::string message;
  try {
    prepare_dataset(sources, scratch / "d", {}, [&](std::size_t done, std::size_t) {
      if (done != 1) return;
      for (const auto& entry : fs::directory_iterator(scratch.path()))
        if (entry.path().filename().string().starts_with(".imu2music-"))
          fs::remove_all(entry.path() / "pairs");
    });
  } catch (const InputError& error) {
    message = error.what();
  }
  CHECK(contains(message, scratch / "d/pairs/1.notes.csv: cannot be written"));
  CHECK_FALSE(contains(message, ".tmp"));
  CHECK(Dataset(scratch / "d").pairs().size() == 3);
}

TEST_CASE("a data set is not replaced by what is made of itself") {
  test::ScratchFolder scratch;
  fs::create_directories(scratch / "a");
  test::write_file(scratch / "a/one.csv", score);
  const auto prepare = [&](const std::vector<std::string>& sources) {
    try {
      prepare_dataset(sources, scratch / "a/d");
    } catch (const InputError& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  CHECK(prepare({scratch / "a"}).empty());
  CHECK(prepare({scratch / "a"}).empty());  // the target may lie in a source
  fs::create_directory_symlink("a/d/pairs", scratch / "link");
  for (const char* source : {"a/d", "a/d/", "a/d/pairs", "a/d/pairs/one.notes.csv", "link"}) {
    INFO(source);
    CHECK(prepare({scratch / "a", scratch / source}) ==
          scratch / "a/d" + ": is read as input too (" + (scratch / source) + "); choose a new folder");
  }
  CHECK(Dataset(scratch / "a/d").pairs().size() == 1);
}

TEST_CASE("the violin takes: 32 pairs whose notes and samples are those of the files") {
  const std::string source = test::shared_file("data/violin-myo");
  if (source.empty()) return;
  test::ScratchFolder scratch;
  PrepareOptions options;
  options.alignment = Alignment::none;
  const Prepared prepared = prepare_dataset(std::vector<std::string>{source}, scratch / "d", options);
  REQUIRE(prepared.pairs.size() == 32);
  CHECK(prepared.phases.empty());
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
  // Without a word the players' clocks are brought together.
  const Prepared aligned = prepare_dataset(std::vector<std::string>{source}, scratch / "e");
  REQUIRE(aligned.phases.size() == 4);
  CHECK(aligned.phases.at("s4") - aligned.phases.at("s1") == doctest::Approx(0.16).epsilon(0.2));
  for (const PairInfo& pair : aligned.pairs)
    CHECK(pair.quality.at("performer_phase_s") == aligned.phases.at(pair.performer));
}

TEST_CASE("armband players' scores get their clocks unless it is forbidden, others when asked for") {
  test::ScratchFolder scratch;
  const std::vector<double> onsets = {0.5, 0.9, 1.7, 2.2, 3.1, 3.6, 4.6};
  std::string notes = "onset_s,offset_s,midi\n";
  for (double onset : onsets) notes += number_text(onset) + "," + number_text(onset + 0.2) + ",60\n";
  // The arm turns `late` seconds after a note begins. No two takes are alike: copies would be dropped.
  const auto take = [&](double late, const std::string& player) {
    std::string text = "t_s,new_sample,acc_x_g,acc_y_g,acc_z_g,gyro_x_dps,gyro_y_dps,gyro_z_dps\n";
    for (int i = 0; i < 300; ++i) {
      double turn = 0;
      for (double onset : onsets) turn += 200 * std::exp(-std::pow((i * 0.02 - onset - late) / 0.06, 2));
      text += number_text(i * 0.02) + ",1,0,0,1," + number_text(turn) + ",0," + player + "\n";
    }
    return text;
  };
  const std::map<std::string, double> late = {{"1", 0}, {"2", 0}, {"3", 0.1}};
  fs::create_directories(scratch / "set/takes");
  fs::create_directories(scratch / "set/score");
  fs::create_directories(scratch / "other");
  test::write_file(scratch / "set/score/1_martele.csv", notes);
  std::string manifest = "file,stroke,player\n", list = "file,performer,piece\n";
  for (const auto& [player, seconds] : late) {
    const std::string file = "takes/1_martele_s" + player + ".csv", name = "air_s" + player;
    test::write_file(scratch / "set/" + file, take(seconds, player));
    manifest += file + ",martele," + player + "\n";
    test::write_file(scratch / "other/" + name + ".csv", take(seconds, player) + "6.1,1,0,0,1,0,0,0\n");
    test::write_file(scratch / "other/" + name + ".notes.csv", notes);
    list += name + ",s" + player + ",air\n";
  }
  test::write_file(scratch / "set/manifest.csv", manifest);
  test::write_file(scratch / "other/manifest.csv", list);
  const std::vector<std::string> sources = {scratch / "set", scratch / "other"};
  const auto begins = [&](Alignment alignment) {
    PrepareOptions options;
    options.alignment = alignment;
    const Prepared prepared = prepare_dataset(sources, scratch / "d", options);
    CHECK(prepared.phases.size() == (alignment == Alignment::none ? 0 : 3));
    const Dataset dataset(scratch / "d");
    std::map<std::string, double> first;
    for (std::size_t i = 0; i < dataset.pairs().size(); ++i)
      first[dataset.pairs()[i].id] = dataset.load(i).notes.front().start;
    return first;
  };
  CHECK(PrepareOptions().alignment == Alignment::where_needed);
  // It can be stopped while sources are searched, while performers are aligned, and at the very end.
  for (const std::size_t pairs : {0, 6})
    CHECK_THROWS_WITH_AS(prepare_dataset(sources, scratch / "d", {},
                                         [&](std::size_t done, std::size_t of) {
                                           if (done == 0 && of == pairs) throw Error("stopped");
                                         }),
                         "stopped", Error);
  int calls_when_done = 0;
  CHECK_THROWS_WITH_AS(prepare_dataset(sources, scratch / "d", {},
                                       [&](std::size_t done, std::size_t of) {
                                         if (of > 0 && done == of && ++calls_when_done == 2)
                                           throw Error("stopped");
                                       }),
                       "stopped", Error);
  CHECK_FALSE(fs::exists(scratch / "d"));
  const auto needed = begins(Alignment::where_needed), all = begins(Alignment::all),
             none = begins(Alignment::none);
  REQUIRE(needed.size() == 6);
  for (const auto& [player, seconds] : late) {
    INFO(player);
    const std::string armband = "1_martele_s" + player, other = "air_s" + player;
    CHECK(needed.at(armband) == doctest::Approx(0.5 + seconds));
    CHECK(needed.at(other) == 0.5);
    CHECK(all.at(armband) == doctest::Approx(0.5 + seconds));
    CHECK(all.at(other) == doctest::Approx(0.5 + seconds));
    CHECK(none.at(armband) == 0.5);
    CHECK(none.at(other) == 0.5);
  }
}

TEST_CASE("a take listed under another performer is a copy still, and has no say in the performers' clocks") {
  test::ScratchFolder scratch;
  const std::vector<double> onsets = {0.5, 0.9, 1.7, 2.2, 3.1, 3.6, 4.6};
  std::string notes = "onset_s,offset_s,midi\n";
  for (double onset : onsets) notes += number_text(onset) + "," + number_text(onset + 0.2) + ",60\n";
  fs::create_directories(scratch / "set/takes");
  fs::create_directories(scratch / "set/score");
  test::write_file(scratch / "set/score/1_martele.csv", notes);
  std::string manifest = "file,stroke,player\n";
  for (const int player : {1, 2, 3}) {
    std::string text = "t_s,new_sample,acc_x_g,acc_y_g,acc_z_g,gyro_x_dps,gyro_y_dps,gyro_z_dps\n";
    for (int i = 0; i < 300; ++i) {
      double turn = 0;
      for (double onset : onsets)
        turn += 200 * std::exp(-std::pow((i * 0.02 - onset - 0.06 * std::min(player, 2)) / 0.06, 2));
      text += number_text(i * 0.02) + ",1,0,0,1," + number_text(turn) + ",0," +
              std::to_string(std::min(player, 2)) + "\n";  // the third is the second's
    }
    const std::string file = "takes/1_martele_s" + std::to_string(player) + ".csv";
    test::write_file(scratch / "set/" + file, text);
    manifest += file + ",martele," + std::to_string(player) + "\n";
  }
  test::write_file(scratch / "set/manifest.csv", manifest);
  const Prepared prepared = prepare_dataset(std::vector<std::string>{scratch / "set"}, scratch / "d");
  CHECK(prepared.pairs.size() == 2);
  REQUIRE(prepared.dropped.size() == 1);
  CHECK(prepared.dropped[0].reason == "has the same samples and notes as 1_martele_s2");
  CHECK(prepared.phases.size() == 2);
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
