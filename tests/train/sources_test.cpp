#include "imu2music/train/load_source_pair.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include <sys/stat.h>

#include "imu/error_text.hpp"
#include "imu2music/imu/repovizz_writer.hpp"
#include "imu2music/music/midi_file.hpp"
#include "io/wav_builder.hpp"
#include "support.hpp"
#include "train/pairs.hpp"

using namespace imu2music;
namespace fs = std::filesystem;

namespace {

void write_midi(const std::string& path, const std::vector<Note>& notes) { write_midi_file(path, notes); }

// A recording in a table: 50 Hz, `seconds` long.
std::string table(double seconds) {
  std::string text = "t_s,new_sample,acc_x_g,acc_y_g,acc_z_g,gyro_x_dps,gyro_y_dps,gyro_z_dps\n";
  for (int i = 0; i < static_cast<int>(seconds * 50); ++i)
    text += number_text(i / 50.0) + ",1," + number_text(std::sin(i * 0.1)) + ",0.1," +
            number_text(1 + 0.01 * (i % 7)) + "," + std::to_string(i % 13) + ",2,3\n";
  return text;
}

const std::string score = "onset_s,offset_s,midi,string\n0,0.5,55,G\n0.5,1,57,G\n1,1.5,59,G\n3,4.5,60,D\n";

FoundSources found_in(const std::string& path) {
  SourceFinder finder;
  finder.find(path);
  return finder.found();
}

const SourcePair& with_id(const FoundSources& found, const std::string& id) {
  for (const SourcePair& pair : found.pairs)
    if (pair.info.id == id) return pair;
  throw std::runtime_error("no pair " + id);
}

std::string reason(const FoundSources& found, const std::string& source) {
  for (const DroppedSource& dropped : found.dropped)
    if (dropped.source == source) return dropped.reason;
  return "was not dropped";
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("labels from names") {
  const auto check = [](const char* stem, const char* performer, const char* piece) {
    const PieceLabels labels = labels_of_name(stem);
    CHECK(labels.performer == performer);
    CHECK(labels.piece == piece);
  };
  check("emil-telmanyi_bwv1001_mov1", "emil-telmanyi", "bwv1001_mov1");
  check("john-garner_bwv1002_mov6_30s", "john-garner", "bwv1002_mov6");
  check("ba1_yv10_t2", "yv10", "ba1");
  check("Wohlfahrt_Op45-26_BochanKang_ueAzQeyRHGc-0000-0054", "BochanKang", "Wohlfahrt_Op45-26");
  check("Kayser_Op20-01_ClaudioCruz_c1GzD7nH6uQ", "ClaudioCruz", "Kayser_Op20-01");
  check("jigs107", "", "jigs107");
  check("my_own_take", "", "my_own_take");
  check("bwv1001_mov1", "", "bwv1001_mov1");
  check("", "", "");
}

TEST_CASE("the layout of the armband takes") {
  test::ScratchFolder scratch;
  fs::create_directories(scratch / "set/takes");
  fs::create_directories(scratch / "set/score");
  test::write_file(scratch / "set/takes/1_martele_s1.csv", table(4));
  test::write_file(scratch / "set/takes/1_martele_s2.csv", table(2));
  test::write_file(scratch / "set/takes/extra.csv", table(2));
  test::write_file(scratch / "set/takes/2_legato_s1.csv", table(2));
  test::write_file(scratch / "set/score/1_martele.csv", score);
  test::write_file(scratch / "set/manifest.csv",
                   "file,stroke,player,string_R2_lag0\ntakes/1_martele_s1.csv,martele,1,0.9\n"
                   "takes/1_martele_s2.csv,martele,2,0.5\ntakes/2_legato_s1.csv,legato,1,\n"
                   "takes/3_gone_s1.csv,gone,1,1\n");
  const FoundSources found = found_in(scratch / "set");
  REQUIRE(found.pairs.size() == 2);
  CHECK(contains(reason(found, "set/takes/extra.csv"), "not listed"));
  CHECK(contains(reason(found, "set/takes/2_legato_s1.csv"), "score/2_legato.csv"));
  CHECK(contains(reason(found, "set/takes/3_gone_s1.csv"), "not there"));
  const Pair one = load_source_pair(found.pairs[0]);
  CHECK(one.info.performer == "s1");
  CHECK(one.info.stroke == "martele");
  CHECK(one.info.piece == "martele");
  CHECK(one.info.layout == "violin-myo");
  CHECK(one.info.seconds == doctest::Approx(4));
  CHECK(one.info.quality.at("string_R2_lag0") == 0.9);
  CHECK(one.info.quality.at("rate_hz") == 50);
  CHECK_FALSE(one.info.goes_on);
  CHECK(one.notes.size() == 4);
  CHECK(one.notes.back().end == 4.5);  // it sounds beyond the motion
  CHECK(one.motion.source == "set/takes/1_martele_s1.csv");
  const Pair two = load_source_pair(found.pairs[1]);
  CHECK(two.notes.size() == 3);
  CHECK(two.info.goes_on);
  CHECK(contains(two.info.remarks.at(1), "agree weakly"));
}

TEST_CASE("recordings with music of the same name, and music alone") {
  test::ScratchFolder scratch;
  fs::create_directories(scratch / "set/more");
  test::write_file(scratch / "set/a.csv", table(3));
  write_midi(scratch / "set/a.mid", test::scale(60, 5));
  test::write_file(scratch / "set/b.csv", table(3));
  test::write_file(scratch / "set/b_notes.csv", score);
  test::write_file(scratch / "set/c.csv", table(3));
  test::write_file(scratch / "set/d.csv", score);
  write_midi(scratch / "set/d.mid", test::scale(62, 5));
  write_midi(scratch / "set/more/tune.midi", test::scale(64, 5));
  test::write_file(scratch / "set/more/sound.wav", test::wav_of(8000, 0.1, [](double) { return 0.1; }));
  test::write_file(scratch / "set/README", "Read me, and nothing else");
  test::write_file(scratch / "set/.hidden.csv", score);
  test::write_file(scratch / "set/manifest.csv",
                   "file,performer,piece,stroke,take\na.csv,anna,air,spiccato,3\n"
                   "d,dora,\"dance, slow\",,\n");
  const FoundSources found = found_in(scratch / "set");
  REQUIRE(found.pairs.size() == 4);
  const SourcePair &a = with_id(found, "a"), &b = with_id(found, "b"), &d = with_id(found, "d"),
                   &tune = with_id(found, "tune");
  CHECK(a.info.performer == "anna");
  CHECK(a.info.piece == "air");
  CHECK(a.info.stroke == "spiccato");
  CHECK(a.info.quality.at("take") == 3);
  CHECK(a.info.layout == "recording");
  CHECK(contains(b.notes_path, "b_notes.csv"));
  CHECK(d.motion_path.empty());
  CHECK(contains(d.notes_path, "d.mid"));
  CHECK(d.info.performer == "dora");
  CHECK(d.info.piece == "dance, slow");
  CHECK(tune.info.source == "set/more/tune.midi");
  CHECK(tune.info.layout == "MIDI");
  CHECK(contains(reason(found, "set/c.csv"), "has motion and no music: put c.mid beside it"));
  CHECK(contains(reason(found, "set/d.csv"), "taken from d.mid"));
  CHECK(contains(reason(found, "set/more/sound.wav"), "is sound"));
  CHECK(contains(reason(found, "set/README"), "neither"));
  CHECK(found.dropped.size() == 4);

  const Pair pair = load_source_pair(a);
  CHECK(pair.info.has_motion);
  CHECK(pair.info.seconds == doctest::Approx(3));
  CHECK(pair.notes.size() == 5);
  CHECK(pair.notes[0].start == doctest::Approx(0.4).epsilon(1e-3));
  const Pair alone = load_source_pair(tune);
  CHECK_FALSE(alone.info.has_motion);
  CHECK(alone.motion.sensors.empty());
  CHECK(alone.info.seconds == doctest::Approx(1.9).epsilon(1e-3));

  // One file by itself.
  CHECK(found_in(scratch / "set/a.csv").pairs.size() == 1);
  CHECK(found_in(scratch / "set/b_notes.csv").pairs[0].info.id == "b");
  CHECK(contains(reason(found_in(scratch / "set/c.csv"), "c.csv"), "no music"));
  CHECK_THROWS_AS(found_in(scratch / "set/none"), InputError);
  CHECK_THROWS_AS(found_in(""), InputError);
}

TEST_CASE("a manifest names the files of the folders below it, by their path from there") {
  test::ScratchFolder scratch;
  for (const char* take : {"s1/take", "s2/take", "s2/more/other", "s2/more/last", "near"}) {
    const std::string path = scratch / (std::string("set/") + take);
    fs::create_directories(fs::path(path).parent_path());
    test::write_file(path + ".csv", table(3));
    write_midi(path + ".mid", test::scale(60, 5));
  }
  write_midi(scratch / "set/s1/tune.mid", test::scale(64, 5));
  test::write_file(scratch / "set/manifest.csv",
                   "file,performer,piece,stroke,take\ns1/take.csv,anna,air,spiccato,1\n"
                   "s2/take,bert,air,legato,2\ns2/more/other.csv,carl,song,,3\nlast,dora,song,,4\n"
                   "s1/tune.mid,emil,tune,,5\ns9/near.csv,fred,,,6\n");
  test::write_file(scratch / "set/s2/more/manifest.csv", "file,performer\nother.csv,gina\n");
  for (const char* from : {"set", "set/"}) {
    const FoundSources found = found_in(scratch / from);
    REQUIRE(found.pairs.size() == 6);
    const auto at = [&](const std::string& source) -> const PairInfo& {
      return std::find_if(found.pairs.begin(), found.pairs.end(),
                          [&](const SourcePair& pair) { return pair.info.source == source; })
          ->info;
    };
    CHECK(at("set/s1/take.csv").performer == "anna");
    CHECK(at("set/s1/take.csv").stroke == "spiccato");
    CHECK(at("set/s2/take.csv").performer == "bert");
    CHECK(at("set/s2/take.csv").quality.at("take") == 2);
    CHECK(at("set/s2/more/other.csv").performer == "gina");  // the nearest manifest that names it
    CHECK(at("set/s2/more/last.csv").performer == "dora");
    CHECK(at("set/s1/tune.mid").performer == "emil");
    CHECK(at("set/near.csv").performer.empty());  // another file than s9/near.csv
    REQUIRE(found.dropped.size() == 1);
    CHECK(found.dropped[0].source == "set/s9/near.csv");
    CHECK(found.dropped[0].reason == "is listed in manifest.csv and is not there");
  }
}

TEST_CASE("what a manifest lists and is not there is told, and so is one that says two things of a file") {
  test::ScratchFolder scratch;
  fs::create_directories(scratch / "set/more");
  for (const char* take : {"a", "more/b", "more/silent"})
    test::write_file(scratch / (std::string("set/") + take + ".csv"), table(3));
  for (const char* music : {"a", "more/b"})
    write_midi(scratch / (std::string("set/") + music + ".mid"), test::scale(60, 5));
  const auto found = [&](const std::string& manifest) {
    test::write_file(scratch / "set/manifest.csv", "file,performer\n" + manifest);
    return found_in(scratch / "set");
  };
  // Files that are dropped for another reason, the folder itself and the same row again are no fault.
  CHECK(found("a,anna\nb,bert\nsilent,carl\nmore/silent.csv,carl\nset,dora\na,anna\n").dropped.size() == 1);
  const FoundSources gone = found("a.csv,anna\nmore/c.csv,bert\nd,carl\n");
  REQUIRE(gone.dropped.size() == 3);
  CHECK(contains(reason(gone, "set/more/silent.csv"), "no music"));
  CHECK(reason(gone, "set/more/c.csv") == "is listed in manifest.csv and is not there");
  CHECK(reason(gone, "set/d") == "is listed in manifest.csv and is not there");
  const FoundSources twice = found("a,anna\na,bert\n");
  CHECK(contains(reason(twice, "set/manifest.csv"), "line 3 tells something else of 'a'"));
  CHECK(twice.pairs.size() == 2);
}

TEST_CASE("RepoVizz takes, cut to their sound") {
  test::ScratchFolder scratch;
  Recording motion = test::noise_recording(3, 8, 25);
  for (SensorTrack& sensor : motion.sensors) sensor.channels.pop_back();  // no place for orientation
  fs::create_directories(scratch / "set");
  write_repovizz(motion, scratch / "set/27_take");
  write_midi(scratch / "set/27_take.mid", test::scale(60, 20, 1.95, 0.2));
  test::write_file(scratch / "set/27_take/00_audio_pickup.wav", test::wav_of(8000, 8, [](double t) {
                     return t >= 2 && t < 5 ? 0.3 * std::sin(2760 * t) : 0.0;
                   }));
  write_repovizz(motion, scratch / "set/28_take");
  write_midi(scratch / "set/28_take/any.mid", test::scale(60, 20));
  write_repovizz(motion, scratch / "set/29_take");
  const FoundSources found = found_in(scratch / "set");
  REQUIRE(found.pairs.size() == 2);  // 27_take.mid is not music alone
  CHECK(contains(reason(found, "set/29_take"), "put 29_take.mid beside it"));
  const Pair cut = load_source_pair(with_id(found, "27_take"));
  CHECK(std::abs(cut.info.seconds - 3.2) < 0.05);
  CHECK(cut.motion.sensors[0].sample_count() == 80);
  // Note 0 begins 1.95 s into the sound, which now begins at 1.9 s.
  CHECK(std::abs(cut.notes[0].start - 0.05) < 0.025);
  CHECK(cut.info.goes_on);
  CHECK(contains(cut.info.remarks.front(), "cut to its sound"));
  const Pair whole = load_source_pair(with_id(found, "28_take"));
  CHECK(whole.info.seconds == 8);
  CHECK(whole.motion.sensors[1].channels[0].samples.size() == 600);
  // Silence makes no pair.
  test::write_file(scratch / "set/27_take/00_audio_pickup.wav",
                   test::wav_of(8000, 8, [](double) { return 0.0; }));
  CHECK_THROWS_AS(load_source_pair(with_id(found, "27_take")), InputError);
}

TEST_CASE("music that belongs to a motion is never music alone, wherever the two are found") {
  test::ScratchFolder scratch;
  // Before the motion's folder in the alphabet, and beside it.
  fs::create_directories(scratch / "set/midi");
  Recording motion = test::noise_recording(2);
  for (SensorTrack& sensor : motion.sensors) sensor.channels.pop_back();  // no place for orientation
  for (const char* take : {"take27", "take28"}) {
    write_repovizz(motion, (scratch / "set") + "/" + take);
    write_midi((scratch / "set/midi/") + take + ".mid", test::scale(60, take[5] == '7' ? 5 : 6));
  }
  write_midi(scratch / "set/midi/other.mid", test::scale(50, 5));
  const FoundSources found = found_in(scratch / "set");
  REQUIRE(found.pairs.size() == 3);
  CHECK(with_id(found, "take27").info.layout == "RepoVizz");
  CHECK(with_id(found, "take28").info.layout == "RepoVizz");
  CHECK(with_id(found, "other").info.layout == "MIDI");

  // Named by themselves, by another way to them, or copied.
  test::write_file(scratch / "x.csv", table(3));
  write_midi(scratch / "x.mid", test::scale(60, 5));
  fs::copy_file(scratch / "x.mid", scratch / "copy.mid");
  SourceFinder finder;
  for (const char* path : {"x.mid", "set/../x.mid", "copy.mid", "x.csv"}) finder.find((scratch / "") + path);
  REQUIRE(finder.found().pairs.size() == 1);
  CHECK(finder.found().pairs[0].info.layout == "recording");
  CHECK(reason(finder.found(), "copy.mid") == "is a copy of the music of x.csv");

  // The same notes in other bytes; another performance of them.
  std::vector<Note> softer = test::scale(60, 5), later = softer;
  for (Note& note : softer) note.velocity = 40;
  for (Note& note : later) note.start += 0.01 * (note.pitch - 60);
  write_midi(scratch / "softer.mid", softer);
  write_midi(scratch / "later.mid", later);
  SourceFinder other;
  for (const char* path : {"x.csv", "softer.mid", "later.mid"}) other.find((scratch / "") + path);
  REQUIRE(other.found().pairs.size() == 2);
  CHECK(reason(other.found(), "softer.mid") == "is a copy of the music of x.csv");
}

TEST_CASE("a copy is known in another kind of file, whose times are rounded otherwise") {
  test::ScratchFolder scratch;
  std::vector<Note> notes;
  for (int i = 0; i < 60; ++i) {
    const double start = 0.0497 * i + 0.001 * std::sin(7.0 * i);
    notes.push_back({60 + i % 5, 80, start, start + 0.2});
    if (i % 9 == 0) notes.push_back({50, 80, start + 1e-5, start + 0.3});  // a chord
  }
  test::write_file(scratch / "x.csv", table(4));
  write_note_table(scratch / "x.notes.csv", notes);
  write_midi(scratch / "copy.mid", notes);
  SourceFinder finder;
  for (const char* path : {"x.csv", "copy.mid"}) finder.find((scratch / "") + path);
  CHECK(finder.found().pairs.size() == 1);
  CHECK(reason(finder.found(), "copy.mid") == "is a copy of the music of x.csv");
}

TEST_CASE("two takes may have one score, by a link too") {
  test::ScratchFolder scratch;
  for (const char* player : {"anna", "ben", "eve"}) {
    fs::create_directories((scratch / "set/") + player);
    test::write_file((scratch / "set/") + player + "/ba1.csv", table(3));
  }
  test::write_file(scratch / "set/anna/ba1.notes.csv", score);
  fs::create_symlink("../anna/ba1.notes.csv", scratch / "set/ben/ba1.notes.csv");
  fs::create_hard_link(scratch / "set/anna/ba1.notes.csv", scratch / "set/eve/ba1.notes.csv");
  const FoundSources found = found_in(scratch / "set");
  CHECK(found.pairs.size() == 3);
  CHECK(found.dropped.empty());
}

TEST_CASE("sources that are no files are refused, links to what is above a source are not followed") {
  test::ScratchFolder scratch;
  fs::create_directories(scratch / "all/set");
  test::write_file(scratch / "all/other.csv", table(3));
  test::write_file(scratch / "all/other.notes.csv", score);
  test::write_file(scratch / "all/set/x.csv", table(3));
  test::write_file(scratch / "all/set/x.notes.csv", score);
  fs::create_symlink("..", scratch / "all/set/up");
  fs::create_symlink("/", scratch / "all/set/z");
  const FoundSources found = found_in(scratch / "all/set");
  CHECK(found.pairs.size() == 1);
  CHECK(contains(reason(found, "set/up"), "leads back"));
  CHECK(contains(reason(found, "set/z"), "leads back"));

  REQUIRE(::mkfifo((scratch / "pipe").c_str(), 0600) == 0);
  CHECK(test::is_line_with(test::error_text<InputError>([&] { found_in(scratch / "pipe"); }),
                           {"pipe", "neither a folder nor a file"}));
}

TEST_CASE("recordings and folders find music by their whole names") {
  test::ScratchFolder scratch;
  const std::string phone =
      "\"Time (s)\",\"Acceleration x (m/s^2)\",\"Acceleration y (m/s^2)\",\"Acceleration z "
      "(m/s^2)\"\n0,0,0,9.8\n0.01,0,0.1,9.8\n0.02,0,0.2,9.7\n";
  for (const char* take : {"take.1", "take.2"}) {
    fs::create_directories((scratch / "set/") + take);
    test::write_file((scratch / "set/") + take + "/a.csv", phone);
    write_midi((scratch / "set/") + take + ".mid", test::scale(take[5] == '1' ? 60 : 70, 5));
  }
  const FoundSources found = found_in(scratch / "set");
  REQUIRE(found.pairs.size() == 2);
  for (const char* take : {"take.1", "take.2"})
    CHECK(with_id(found, take).notes_path == (scratch / "set/") + take + ".mid");

  test::write_file(scratch / "y.csv", table(3));
  test::write_file(scratch / "y_align_notetime.csv", score);
  CHECK(found_in(scratch / "y.csv").pairs.size() == 1);
}

TEST_CASE("what a manifest lists and is not there is told whatever other folders hold or lack") {
  test::ScratchFolder scratch;
  for (const char* folder : {"set/A", "set/B"}) fs::create_directories(scratch / folder);
  test::write_file(scratch / "set/A/take1.csv", table(3));  // no music
  test::write_file(scratch / "set/B/manifest.csv", "file,performer\ntake1.csv,anna\ntake2.csv,ben\n");
  const FoundSources found = found_in(scratch / "set");
  CHECK(contains(reason(found, "set/A/take1.csv"), "no music"));
  CHECK(contains(reason(found, "set/B/take1.csv"), "is not there"));
  CHECK(contains(reason(found, "set/B/take2.csv"), "is not there"));

  // Nor does what another source lacks.
  fs::create_directories(scratch / "p/set");
  test::write_file(scratch / "p/set/take3.csv", table(3));
  fs::create_directories(scratch / "q/set");
  test::write_file(scratch / "q/set/manifest.csv", "file,performer\ntake3.csv,anna\n");
  SourceFinder finder;
  for (const char* source : {"p/set", "q/set"}) finder.find(scratch / source);
  CHECK(contains(finder.found().dropped.back().reason, "is not there"));

  test::write_file(scratch / "set/B/manifest.csv", "file,performer\ntake1.csv,Andr\xe9\n");
  CHECK(contains(reason(found_in(scratch / "set"), "set/B/manifest.csv"), "UTF-8"));
}

TEST_CASE("what is no table hides no recording beside it") {
  test::ScratchFolder scratch;
  fs::create_directories(scratch / "set/more");
  test::write_file(scratch / "set/x.csv", table(3));
  write_midi(scratch / "set/x.mid", test::scale(60, 5));
  test::write_file(scratch / "set/README.txt", "# Takes\n");
  test::write_file(scratch / "set/a_list.csv", "# a comment and nothing else\n");
  test::write_file(scratch / "set/more/odd.csv", "\"a quote without an end\n");
  const FoundSources found = found_in(scratch / "set");
  REQUIRE(found.pairs.size() == 1);
  CHECK(found.pairs[0].info.layout == "recording");
  CHECK(contains(reason(found, "set/README.txt"), "neither notes nor motion"));
  CHECK(contains(reason(found, "set/more/odd.csv"), "neither notes nor motion"));
}

TEST_CASE("tables of phyphox are takes of their own or sensors of one recording") {
  const std::string seconds =
      "\"Time (s)\",\"Acceleration x (m/s^2)\",\"Acceleration y (m/s^2)\",\"Acceleration z "
      "(m/s^2)\"\n0,0,0,9.8\n0.01,0,0.1,9.8\n0.02,0,0.2,9.7\n";
  std::string turning = seconds;
  for (std::size_t at; (at = turning.find("Acceleration")) != std::string::npos;)
    turning.replace(at, 12, "Gyroscope");
  for (std::size_t at; (at = turning.find("m/s^2")) != std::string::npos;) turning.replace(at, 5, "rad/s");
  test::ScratchFolder scratch;
  for (const char* folder : {"takes", "sensors", "one", "named"}) fs::create_directories(scratch / folder);
  for (const char* take : {"a", "b"}) {
    test::write_file((scratch / "takes/") + take + ".csv", seconds);
    write_midi((scratch / "takes/") + take + ".mid", test::scale(60, take[0] == 'a' ? 5 : 6));
  }
  const FoundSources takes = found_in(scratch / "takes");
  REQUIRE(takes.pairs.size() == 2);
  CHECK(with_id(takes, "b").motion_path == scratch / "takes/b.csv");

  test::write_file(scratch / "sensors/Accelerometer.csv", seconds);
  test::write_file(scratch / "sensors/Gyroscope.csv", turning);
  write_midi(scratch / "sensors/song.mid", test::scale(60, 5));
  const FoundSources sensors = found_in(scratch / "sensors");
  REQUIRE(sensors.pairs.size() == 1);
  CHECK(sensors.pairs[0].motion_path == scratch / "sensors");
  CHECK(contains(sensors.pairs[0].info.remarks.at(0), "song.mid"));

  // One table: only a name says that the music is its.
  test::write_file(scratch / "one/Raw Data.csv", seconds);
  write_midi(scratch / "one/unrelated.mid", test::scale(60, 5));
  const FoundSources one = found_in(scratch / "one");
  REQUIRE(one.pairs.size() == 1);
  CHECK(one.pairs[0].motion_path.empty());
  CHECK(contains(reason(one, "one/Raw Data.csv"), "has motion and no music"));
  test::write_file(scratch / "named/Raw Data.csv", seconds);
  write_midi(scratch / "named.mid", test::scale(60, 5));
  const FoundSources named = found_in(scratch / "named");
  REQUIRE(named.pairs.size() == 1);
  CHECK(named.pairs[0].motion_path == scratch / "named");
}

TEST_CASE("a tracked body becomes sensors on its forearms") {
  test::ScratchFolder scratch;
  std::string text;
  for (const char* joint : {"ShoulderRight", "ElbowRight", "WristRight"})
    for (const char* axis : {".x,", ".y,", ".z,", ""}) {
      if (*axis == '\0') {
        text += "state,";
        continue;
      }
      text += joint;
      text += axis;
    }
  text.back() = '\n';
  for (int i = 0; i < 120; ++i) {
    const double t = i / 30.0;
    text += "0,0.3,2,tracked,0,0,2,tracked," + number_text(0.25 * std::cos(t)) + ",0," +
            number_text(2 + 0.25 * std::sin(t)) + ",tracked\n";
  }
  fs::create_directories(scratch / "set");
  test::write_file(scratch / "set/bow.csv", text);
  CHECK(contains(reason(found_in(scratch / "set"), "set/bow.csv"), "no music"));
  write_midi(scratch / "set/bow.mid", test::scale(60, 10));
  const FoundSources found = found_in(scratch / "set");
  REQUIRE(found.pairs.size() == 1);
  const Pair pair = load_source_pair(found.pairs[0]);
  REQUIRE(pair.motion.sensors.size() == 1);
  CHECK(pair.motion.sensors[0].name == "forearm_right");
  CHECK(pair.info.layout == "keypoints");
  CHECK(pair.motion.sensors[0].clock.start_s == 0);
  CHECK(pair.info.seconds == doctest::Approx(119.0 / 30 - 0.5).epsilon(0.01));
  CHECK(pair.notes[0].start == doctest::Approx(0.15).epsilon(1e-3));  // 0.25 s were needed for smoothing
  // Distributions of a real sensor, on request.
  PrepareOptions options;
  options.like = test::noise_recording(2);
  const Pair mapped = load_source_pair(found.pairs[0], options);
  CHECK(mapped.motion.sensors[0].channels[0].samples != pair.motion.sensors[0].channels[0].samples);
}

TEST_CASE("links that lead back to a folder above are not followed, others are") {
  test::ScratchFolder scratch;
  fs::create_directories(scratch / "a/b");
  fs::create_directories(scratch / "c");
  test::write_file(scratch / "a/b/one.csv", score);
  test::write_file(scratch / "c/two.csv", score + "5,6,60,D\n");
  fs::create_directory_symlink(".", scratch / "a/self");
  fs::create_directory_symlink("../../a", scratch / "a/b/up");
  fs::create_directory_symlink("../c", scratch / "a/other");
  int steps = 0;
  SourceFinder finder({}, [&] { ++steps; });
  finder.find(scratch / "a");
  const FoundSources& found = finder.found();
  CHECK(found.pairs.size() == 2);
  CHECK(with_id(found, "two").info.source == "a/other/two.csv");
  CHECK(found.dropped.size() == 2);
  for (const char* source : {"a/self", "a/b/up"})
    CHECK(reason(found, source) == "leads back to a folder that holds it");
  CHECK(steps >= 7);  // five folders and two files
}

TEST_CASE("music that cannot be used is told") {
  test::ScratchFolder scratch;
  test::write_file(scratch / "late.csv", table(2));
  test::write_file(scratch / "late.notes.csv", "onset_s,offset_s,midi\n5,6,60\n");
  SourceFinder finder;
  finder.find(scratch / "late.csv");
  try {
    load_source_pair(finder.found().pairs.at(0));
    FAIL("was paired");
  } catch (const InputError& error) {
    CHECK(contains(error.what(), "no notes while the motion lasts"));
  }
  test::write_file(scratch / "none.csv", "onset_s,offset_s,midi\n");
  CHECK_THROWS_AS(load_source_pair(found_in(scratch / "none.csv").pairs.at(0)), InputError);
  // A note without length, and nothing else: still some length that a data set may have.
  test::write_file(scratch / "point.csv", "onset_s,offset_s,midi\n0,0,60\n");
  CHECK(load_source_pair(found_in(scratch / "point.csv").pairs.at(0)).info.seconds == 1e-3);
  // Models with motion have no ids for notes outside a piano's range; its ends belong to it.
  test::write_file(scratch / "wide.csv",
                   "onset_s,offset_s,midi\n0,1,20\n0,1,21\n1,2,60\n2,3,108\n3,4,109\n4,5,127\n");
  const Pair wide = load_source_pair(found_in(scratch / "wide.csv").pairs.at(0));
  REQUIRE(wide.notes.size() == 3);
  CHECK(wide.notes.front().pitch == 21);
  CHECK(wide.notes.back().pitch == 108);
  CHECK(wide.info.notes == 3);
  CHECK(wide.info.seconds == 3);
  CHECK(wide.info.quality.at("notes_out_of_range") == 3);
  CHECK(contains(wide.info.remarks.at(0), "left out: 3 notes outside A0 to C8"));
  test::write_file(scratch / "high.csv", "onset_s,offset_s,midi\n0,1,120\n");
  try {
    load_source_pair(found_in(scratch / "high.csv").pairs.at(0));
    FAIL("was taken");
  } catch (const InputError& error) {
    CHECK(contains(error.what(), "has no notes within A0 to C8"));
  }
  // Percussion is no melody.
  test::write_file(
      scratch / "drum.mid",
      std::string("MThd\0\0\0\6\0\0\0\1\0\x60MTrk\0\0\0\x15\0\x99\x26\x40\0\x90\x3c\x40\x60\x89\x26"
                  "\0\0\x80\x3c\0\0\xff\x2f\0",
                  43));
  const Pair pair = load_source_pair(found_in(scratch / "drum.mid").pairs.at(0));
  CHECK(pair.notes.size() == 1);
  CHECK(contains(pair.info.remarks.at(0), "percussion"));
}

TEST_CASE("a manifest's row that names a stem with a dot is of that stem alone") {
  test::ScratchFolder scratch;
  fs::create_directory(scratch / "set");
  for (const char* take : {"s1", "s1.5", "s2"}) {
    test::write_file((scratch / "set/") + take + ".csv", table(3));
    write_midi((scratch / "set/") + take + ".mid", test::scale(60, 5));
  }
  test::write_file(scratch / "set/manifest.csv", "file,performer\ns1.5,FIVE\ns1,ONE\n./s2.csv,TWO\n");
  FoundSources found = found_in(scratch / "set");
  CHECK(with_id(found, "s1").info.performer == "ONE");
  CHECK(with_id(found, "s1.5").info.performer == "FIVE");
  CHECK(with_id(found, "s2").info.performer == "TWO");
  CHECK(found.dropped.empty());
  test::write_file(scratch / "set/manifest.csv", "file,performer\ns1.5,FIVE\n");
  found = found_in(scratch / "set");
  CHECK(with_id(found, "s1").info.performer.empty());
  CHECK(with_id(found, "s1.5").info.performer == "FIVE");
}

TEST_CASE("files that are named themselves have the labels of their folder's manifest") {
  test::ScratchFolder scratch;
  for (const char* take : {"a", "b"}) {
    test::write_file((scratch / "") + take + ".csv", table(3));
    write_midi((scratch / "") + take + ".mid", test::scale(60, 5));
  }
  test::write_file(scratch / "manifest.csv", "file,performer\na.csv,anna\nb,ben\n");
  SourceFinder finder;
  for (const char* file : {"a.csv", "a.mid", "b.csv", "b.mid", "manifest.csv"}) finder.find(scratch / file);
  REQUIRE(finder.found().pairs.size() == 2);
  CHECK(with_id(finder.found(), "a").info.performer == "anna");
  CHECK(with_id(finder.found(), "b").info.performer == "ben");
  REQUIRE(finder.found().dropped.size() == 1);
  CHECK(reason(finder.found(), "manifest.csv") == "tells the labels of the files in its folder");
  SourceFinder twice;
  twice.find(scratch.path().string() + "//a.csv");
  CHECK(with_id(twice.found(), "a").info.performer == "anna");

  test::write_file(scratch / "manifest.csv", "name,performer\na.csv,anna\n");
  SourceFinder other;
  for (const char* file : {"a.csv", "b.csv", "manifest.csv"}) other.find(scratch / file);
  CHECK(other.found().pairs.size() == 2);
  REQUIRE(other.found().dropped.size() == 1);
  CHECK(contains(reason(other.found(), "manifest.csv"), "'file'"));
}

TEST_CASE("files of Xsens trackers are takes of their own where there is music of their stems") {
  test::ScratchFolder scratch;
  const auto tracker = [&](const std::string& name, int value) {
    std::string text = "// Update Rate: 100.0Hz\nPacketCounter\tAcc_X\tAcc_Y\tAcc_Z\n";
    for (int i = 0; i < 300; ++i) text += std::to_string(i) + "\t" + std::to_string(value) + "\t2\t3\n";
    test::write_file(scratch / name, text);
  };
  for (const char* folder : {"takes", "one"}) fs::create_directory(scratch / folder);
  tracker("takes/take1.txt", 1);
  tracker("takes/take2.txt", 2);
  tracker("takes/take3.txt", 3);
  write_midi(scratch / "takes/take1.mid", test::scale(60, 5));
  test::write_file(scratch / "takes/take2.notes.csv", score);
  const FoundSources takes = found_in(scratch / "takes");
  REQUIRE(takes.pairs.size() == 2);
  CHECK(with_id(takes, "take1").motion_path == scratch / "takes/take1.txt");
  CHECK(with_id(takes, "take2").notes_path == scratch / "takes/take2.notes.csv");
  CHECK(contains(reason(takes, "takes/take3.txt"), "put take3.mid beside it"));

  tracker("one/left.txt", 1);
  tracker("one/one.txt", 2);
  write_midi(scratch / "one/one.mid", test::scale(60, 5));  // the folder's name
  const FoundSources one = found_in(scratch / "one");
  REQUIRE(one.pairs.size() == 1);
  CHECK(one.pairs[0].motion_path == scratch / "one");
  CHECK(load_source_pair(one.pairs[0]).motion.sensors.size() == 2);

  // The music beside the folder is the recording's, whatever else bears a tracker's name.
  fs::create_directories(scratch / "set/session");
  tracker("set/session/left.txt", 1);
  tracker("set/session/right.txt", 2);
  write_midi(scratch / "set/session/left.mid", test::scale(60, 5));
  write_midi(scratch / "set/session.mid", test::scale(62, 5));
  const FoundSources set = found_in(scratch / "set");
  CHECK(with_id(set, "session").motion_path == scratch / "set/session");
  CHECK(with_id(set, "session").notes_path == scratch / "set/session.mid");
}

TEST_CASE("what lies in a recording's folder and is no part of it is found or dropped") {
  test::ScratchFolder scratch;
  std::string samples = "time,seconds_elapsed,z,y,x\n";
  for (int i = 0; i < 300; ++i)
    samples += std::to_string(1700000000000000000 + i * 10000000LL) + "," + number_text(i * 0.01) + ",9.8," +
               std::to_string(i % 7) + ",0\n";
  fs::create_directories(scratch / "set/phone/more");
  for (const char* sensor : {"TotalAcceleration", "Gyroscope", "Magnetometer"})
    test::write_file((scratch / "set/phone/") + sensor + ".csv", samples);
  test::write_file(scratch / "set/phone/WristMotion.csv",
                   "time,seconds_elapsed,rotationRateX,accelerationX\n1,0,1,1\n2,0.01,1,1\n");
  test::write_file(scratch / "set/phone/Metadata.csv", "version,device name,platform\n3,phone,android\n");
  test::write_file(scratch / "set/phone/Microphone.wav", test::wav_of(8000, 0.1, [](double) { return 0.1; }));
  write_midi(scratch / "set/phone.mid", test::scale(60, 5));
  test::write_file(scratch / "set/phone/etude.csv", score);
  test::write_file(scratch / "set/phone/take1.csv", table(3));
  write_midi(scratch / "set/phone/take1.mid", test::scale(61, 5));
  test::write_file(scratch / "set/phone/take2.csv", table(3));
  test::write_file(scratch / "set/phone/more/take3.csv", table(3));
  write_midi(scratch / "set/phone/more/take3.mid", test::scale(62, 5));
  test::write_file(scratch / "set/phone/more/picture.jpg", "\xff\xd8\xff");
  test::write_file(scratch / "set/phone/take4.csv", "acc_x_g,acc_y_g,acc_z_g\n0,0,1\n0,0,1\n");  // no clock
  write_midi(scratch / "set/phone/take4.mid", test::scale(63, 5));
  const FoundSources found = found_in(scratch / "set");
  REQUIRE(found.pairs.size() == 5);
  CHECK(with_id(found, "take4").motion_path == scratch / "set/phone/take4.csv");
  CHECK(with_id(found, "phone").motion_path == scratch / "set/phone");
  CHECK(with_id(found, "etude").motion_path.empty());
  CHECK(with_id(found, "take1").motion_path == scratch / "set/phone/take1.csv");
  CHECK(with_id(found, "take3").info.source == "set/phone/more/take3.csv");
  REQUIRE(found.dropped.size() == 1);
  CHECK(contains(reason(found, "set/phone/take2.csv"), "has motion and no music"));
}

TEST_CASE("the layouts' own files and folders are not told, others in them are found") {
  test::ScratchFolder scratch;
  const std::string seconds =
      "\"Time (s)\",\"Acceleration x (m/s^2)\",\"Acceleration y (m/s^2)\",\"Acceleration z "
      "(m/s^2)\"\n0,0,0,9.8\n0.01,0,0.1,9.8\n0.02,0,0.2,9.7\n";
  fs::create_directories(scratch / "set/phone/meta");
  test::write_file(scratch / "set/phone/Accelerometer.csv", seconds);
  test::write_file(scratch / "set/phone/meta/device.csv", "property,value\nversion,1\n");
  test::write_file(scratch / "set/phone/meta/time.csv",
                   "\"event\",\"experiment time\",\"system time\"\nSTART,0,1\n");
  write_midi(scratch / "set/phone.mid", test::scale(60, 5));

  Recording motion = test::noise_recording(3, 8, 25);
  for (SensorTrack& sensor : motion.sensors) sensor.channels.pop_back();  // no place for orientation
  write_repovizz(motion, scratch / "set/27_take");
  test::write_file(scratch / "set/27_take/00_audio_energy.csv", "repovizz,framerate=25\n1,2,3\n");
  test::write_file(scratch / "set/27_take/take.xml", "<ROOT/>");
  write_midi(scratch / "set/27_take.mid", test::scale(61, 5));
  fs::create_directory(scratch / "set/27_take/midi");
  write_midi(scratch / "set/27_take/midi/etude.mid", test::scale(50, 5));

  for (const char* folder : {"takes", "score", "more"})
    fs::create_directories((scratch / "set/arm/") + folder);
  test::write_file(scratch / "set/arm/takes/1_martele_s1.csv", table(4));
  for (const char* stroke : {"1_martele", "2_legato"})
    test::write_file((scratch / "set/arm/score/") + stroke + ".csv", score);
  test::write_file(scratch / "set/arm/manifest.csv",
                   "file,stroke,player\ntakes/1_martele_s1.csv,martele,1\n");
  test::write_file(scratch / "set/arm/people.csv", "player,born,plays\n1,1980,violin\n");
  write_midi(scratch / "set/arm/song.mid", test::scale(65, 5));
  test::write_file(scratch / "set/arm/more/take9.csv", table(3));
  write_midi(scratch / "set/arm/more/take9.mid", test::scale(66, 5));

  const FoundSources found = found_in(scratch / "set");
  CHECK(found.dropped.empty());
  CHECK(found.pairs.size() == 6);
  for (const char* id : {"phone", "27_take", "etude", "1_martele_s1", "song", "take9"})
    CHECK_NOTHROW(with_id(found, id));
}

TEST_CASE("what cannot be read is dropped, and so is what may belong to it") {
  test::ScratchFolder scratch;
  fs::create_directory(scratch / "set");
  fs::create_symlink("/nowhere/t1.csv", scratch / "set/t1.csv");
  test::write_file(scratch / "set/t1.notes.csv", score);
  test::write_file(scratch / "set/t2.csv", table(3));
  fs::create_symlink("t2.mid", scratch / "set/t2.mid");
  fs::create_symlink("/nowhere/take.1", scratch / "set/take.1");
  write_midi(scratch / "set/take.1.mid", test::scale(60, 5));
  write_midi(scratch / "set/take.mid", test::scale(62, 5));
  test::write_file(scratch / "set/t3.csv", table(3));
  write_midi(scratch / "set/t3.mid", test::scale(64, 5));
  fs::create_symlink("/nowhere/t3.wav", scratch / "set/t3.wav");  // neither motion nor music
  REQUIRE(::mkfifo((scratch / "set/pipe").c_str(), 0600) == 0);
  const FoundSources found = found_in(scratch / "set");
  REQUIRE(found.pairs.size() == 2);
  CHECK(with_id(found, "take").motion_path.empty());
  CHECK(with_id(found, "t3").motion_path == scratch / "set/t3.csv");
  CHECK(reason(found, "set/t1.csv") == "is a link that cannot be followed (No such file or directory)");
  CHECK(reason(found, "set/t1.notes.csv") == "has the name of t1.csv, which cannot be read");
  CHECK(reason(found, "set/t2.csv") == "has the name of t2.mid, which cannot be read");
  CHECK(contains(reason(found, "set/t2.mid"), "is a link that cannot be followed (Too many levels"));
  CHECK(reason(found, "set/take.1.mid") == "has the name of take.1, which cannot be read");
  CHECK(found.dropped.size() == 7);
}

TEST_CASE("of tables of one stem the first that is a recording is taken") {
  test::ScratchFolder scratch;
  fs::create_directory(scratch / "set");
  test::write_file(scratch / "set/x.TXT", "who,when,where\nanna,monday,hall\n");
  test::write_file(scratch / "set/x.csv", table(3));
  test::write_file(scratch / "set/x.txt", table(2));
  write_midi(scratch / "set/x.mid", test::scale(60, 5));
  const FoundSources found = found_in(scratch / "set");
  REQUIRE(found.pairs.size() == 1);
  CHECK(found.pairs[0].motion_path == scratch / "set/x.csv");
  CHECK(contains(reason(found, "set/x.TXT"), "holds neither notes nor a recording that can be read"));
  CHECK(reason(found, "set/x.txt") == "the motion is taken from x.csv");
}

TEST_CASE("music alone keeps notes without length at its end") {
  test::ScratchFolder scratch;
  const auto pair = [&](const std::string& rows) {
    test::write_file(scratch / "x.csv", "onset_s,offset_s,midi\n" + rows);
    return load_source_pair(found_in(scratch / "x.csv").pairs.at(0));
  };
  CHECK(pair("0,0.5,60\n1,1,62\n").notes.size() == 2);
  CHECK(pair("0,0.5,60\n1,1,62\n").info.seconds == 1.001);
  CHECK(pair("5,5,60\n").info.seconds == 5.001);
  CHECK(pair("0,0.5,60\n").info.seconds == 0.5);
  CHECK(test::is_line_with(test::error_text<InputError>([&] { pair("-2,-1,60\n"); }),
                           {"x.csv", "no notes that sound after 0 s"}));
}

TEST_CASE("an armband take whose score cannot be read is told by its name in the set") {
  test::ScratchFolder scratch;
  for (const char* folder : {"set/takes", "set/score"}) fs::create_directories(scratch / folder);
  test::write_file(scratch / "set/takes/1_martele_s1.csv", table(4));
  fs::create_symlink("1_martele.csv", scratch / "set/score/1_martele.csv");
  test::write_file(scratch / "set/manifest.csv", "file,stroke,player\ntakes/1_martele_s1.csv,martele,1\n");
  const std::string why = reason(found_in(scratch / "set"), "set/takes/1_martele_s1.csv");
  CHECK(why.starts_with("score/1_martele.csv: "));
  CHECK_FALSE(contains(why, scratch.path().string()));
}

TEST_CASE("armband takes are told by their manifest's columns or by their scores") {
  test::ScratchFolder scratch;
  for (const char* folder : {"set/takes", "set/score"}) fs::create_directories(scratch / folder);
  for (const char* take : {"a_s1", "a_s2", "b_s1"})
    test::write_file((scratch / "set/takes/") + take + ".csv", table(3));
  for (const char* piece : {"a", "b"}) test::write_file((scratch / "set/score/") + piece + ".csv", score);
  const std::string rows = "takes/a_s1.csv,1\ntakes/a_s2.csv,2\ntakes/b_s1.csv,1\n";
  test::write_file(scratch / "set/manifest.csv", "file,player\n" + rows);
  const FoundSources found = found_in(scratch / "set");
  REQUIRE(found.pairs.size() == 3);
  CHECK(with_id(found, "a_s2").info.layout == "violin-myo");
  CHECK(with_id(found, "a_s2").info.piece == "a");
  CHECK(with_id(found, "b_s1").info.piece == "b");

  // Neither: the folders are searched as any others are.
  for (const char* take : {"a_s1", "a_s2", "b_s1"})
    write_midi((scratch / "set/takes/") + take + ".mid", test::scale(60, 5));
  test::write_file(scratch / "set/manifest.csv", "file,take\n" + rows);
  const FoundSources plain = found_in(scratch / "set");
  CHECK(with_id(plain, "a_s2").info.layout == "recording");
  CHECK(with_id(plain, "a_s2").info.quality.at("take") == 2);
}
