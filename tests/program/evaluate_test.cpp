// evaluate: its figures as JSON, text and a report, and what it refuses.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "imu2music/core/random.hpp"
#include "imu2music/train/dataset_writer.hpp"
#include "program.hpp"

using nlohmann::json;
using test::check_refused;
using test::program;
using test::quoted;

namespace {

using namespace imu2music;

// Two performers, two strokes, 4 s each, at 50 Hz; and music alone.
std::string small_dataset(const test::ScratchFolder& scratch, const std::string& name = "data",
                          std::uint64_t seed = 0) {
  const std::string folder = scratch / name;
  DatasetWriter writer(folder);
  for (const char* performer : {"s1", "s2"})
    for (const char* stroke : {"martele", "legato"}) {
      Pair pair;
      Philox random(static_cast<std::uint64_t>(performer[1]) * 256 + static_cast<std::uint64_t>(stroke[0]),
                    seed);
      pair.info.id = std::string(stroke) + "_" + performer;
      pair.info.performer = performer;
      pair.info.piece = pair.info.stroke = stroke;
      pair.info.seconds = 4;
      for (double t = 0.2; t < 3.6; t += 0.3 + 0.2 * random.uniform())
        pair.notes.push_back({static_cast<int>(55 + random.below(12)), 80, t, t + 0.25});
      SensorTrack sensor;
      sensor.name = "myo";
      sensor.clock.rate_hz = 50;
      for (const Quantity quantity : {Quantity::acceleration, Quantity::angular_velocity}) {
        Channel channel(quantity, 200);
        for (float& value : channel.samples) value = static_cast<float>(random.normal());
        sensor.channels.push_back(std::move(channel));
      }
      pair.motion.sensors.push_back(std::move(sensor));
      writer.add(pair);
    }
  Pair music;
  music.info.id = "music";
  music.info.performer = "s1";
  music.info.piece = "tune";
  music.info.seconds = 4;
  music.info.has_motion = false;
  music.notes = {{60, 80, 0.5, 1}};
  writer.add(music);
  writer.commit();
  return folder;
}

std::string weights_for(const test::ScratchFolder& scratch, const std::string& config) {
  test::write_file(scratch / "config.json", config);
  const std::string path = scratch / "weights.safetensors";
  REQUIRE(program("init " + quoted(scratch / "config.json") + " -o " + quoted(path) + " --seed 1").status ==
          0);
  return path;
}

std::string temporal_weights(const test::ScratchFolder& scratch) {
  return weights_for(
      scratch,
      R"({"encoder": "temporal", "vocabulary": 332, "d_model": 16, "heads": 2, "encoder_layers": 1,
"decoder_layers": 1, "width": 8, "blocks": 1, "window_ms": 2000, "max_sequence": 32})");
}

}  // namespace

TEST_CASE("evaluate tells every figure as JSON, and writes a report") {
  test::ScratchFolder scratch;
  const std::string data = small_dataset(scratch), weights = temporal_weights(scratch),
                    report = scratch / "report.html";
  const std::string command = "evaluate --weights " + quoted(weights) + " --data " + quoted(data) +
                              " --split performer:s2 --even-windows --permutations 99 --report " +
                              quoted(report) + " --json";
  const test::CommandResult result = program(command);
  INFO(result.error);
  REQUIRE(result.status == 0);
  CHECK(result.error.empty());
  const json j = json::parse(result.output);
  CHECK(j["untrained"] == true);
  CHECK(j["split"]["name"] == "performer:s2");
  CHECK(j["split"]["part"] == "test");
  CHECK(j["split"]["hash"].get<std::string>().size() == 64);
  CHECK(j["split"]["may_have_been_seen"] == false);
  CHECK(j["windows"] == 6);
  REQUIRE(j["recordings"].size() == 2);
  CHECK(j["recordings"][0]["starts_s"] == json::array({0.0, 1.0, 2.0}));
  CHECK(j["even_windows"] == true);
  CHECK(j["nll"].get<double>() == doctest::Approx(std::log(332.0)).epsilon(0.2));
  CHECK(j["bits_per_second"].get<double>() > 0);
  CHECK(j["baselines"]["uniform"].get<double>() == doctest::Approx(std::log(332.0)));
  CHECK(j["baselines"]["unigram_counted_in"] == "the training windows");
  CHECK(j["baselines"]["stroke_onsets_drawn_in"] == "the training recordings");
  CHECK(j["baselines"]["zeroed"].get<double>() > 0);
  for (const char* key : {"zeroed", "reversed", "later", "earlier"})
    CHECK(j["perturbed"][key]["delta"].is_number());
  CHECK(j["conditioning_gap"]["delta"].is_number());
  CHECK(j["conditioning_gap"]["p"].get<double>() >= 0.01);
  CHECK(j["conditioning_gap"]["p_recordings"].is_number());
  // Each stroke in one recording: other windows of it.
  CHECK(j["conditioning_gap"]["within_stroke_delta"].is_number());
  CHECK(j["conditioning_gap"]["within_stroke_p"].is_number());
  CHECK(j["conditioning_gap"]["within_stroke_p_recordings"].is_null());
  CHECK(j["retrieval"]["r1"].is_number());
  CHECK(j["retrieval"]["r5"].is_number());
  CHECK(j["retrieval"]["mrr"].is_number());
  CHECK(j["retrieval"]["chance"].get<double>() == doctest::Approx(1.0 / 6));
  for (const char* tolerance : {"50", "100", "150"}) {
    CHECK(j["onset_f1"][tolerance].is_number());
    CHECK(j["onset_f1_shuffled"][tolerance].is_number());
    CHECK(j["onset_f1_stroke_baseline"][tolerance].is_number());
    // The other performer's take of one stroke is trained on, that of the other one kept for validation.
    CHECK(j["intervals"][std::string("onset_f1_stroke_baseline.") + tolerance]["windows"] == 3);
    CHECK(j["strokes"]["legato"]["onset_f1_stroke_baseline"][tolerance].is_number() !=
          j["strokes"]["martele"]["onset_f1_stroke_baseline"][tolerance].is_number());
    CHECK(j["strokes"]["legato"]["onset_f1"][tolerance].is_number());
  }
  CHECK(j["note_f1"].is_number());
  CHECK(j["collapse_ratio"].is_number());
  CHECK(j["note_count_ratio"].is_number());
  CHECK(j["motion_alignment"]["real"]["z"].is_number());
  CHECK(j["music"]["pitch_class"]["overlap_area"].is_number());
  // A figure's interval stands under its path.
  for (const char* path : {"nll", "bits_per_second", "conditioning_gap.delta", "retrieval.r1", "onset_f1.50",
                           "note_f1", "collapse_ratio", "note_count_ratio"}) {
    INFO(path);
    REQUIRE(j["intervals"].contains(path));
    CHECK(j["intervals"][path]["low"].is_number());
    CHECK(j["intervals"][path]["high"] >= j["intervals"][path]["low"]);
    CHECK(j["intervals"][path]["windows"] == 6);
    CHECK(j["intervals"][path]["recordings"] == 2);
  }
  // Of a kind of event, the windows are counted that have one.
  for (const auto& [kind, figures] : j["nll_by_kind"].items()) {
    INFO(kind);
    const auto windows = j["intervals"]["nll_by_kind." + kind + ".nll"]["windows"].get<int>();
    CHECK(windows >= 1);
    CHECK(windows <= std::min(6, figures["tokens"].get<int>()));
    if (kind == "cut") CHECK(windows == figures["tokens"]);  // one a window at most
  }

  const std::string html = test::read_file(report);
  CHECK(html.rfind("<!DOCTYPE html>", 0) == 0);
  CHECK(html.find("</html>") != std::string::npos);
  CHECK(html.find("prefers-color-scheme:dark") != std::string::npos);
  CHECK(html.find("<script") == std::string::npos);
  CHECK(html.find("http") == std::string::npos);  // nothing from elsewhere
  CHECK(html.find(j["split"]["hash"].get<std::string>()) != std::string::npos);
  CHECK(html.find("untrained") != std::string::npos);
  CHECK(html.find("nan") == std::string::npos);
  CHECK(html.find("knowing the stroke") != std::string::npos);

  // Again, and with other threads: the same.
  const test::CommandResult again = program(command + " --threads 1");
  CHECK(again.output == result.output);
  CHECK(test::read_file(report) == html);
}

TEST_CASE("a split that keeps nothing is evaluated whole, and that is said") {
  test::ScratchFolder scratch;
  const std::string data = small_dataset(scratch), weights = temporal_weights(scratch);
  const std::string command = "evaluate --weights " + quoted(weights) + " --data " + quoted(data) +
                              " --permutations 9 --draws 1 --windows-per-recording 2 --seed 3";
  const test::CommandResult text = program(command);
  INFO(text.error);
  REQUIRE(text.status == 0);
  CHECK(text.output.find("may have learnt") != std::string::npos);
  CHECK(text.output.find("left out: music has no motion") != std::string::npos);
  CHECK(text.output.find("conditioning gap") != std::string::npos);
  const json j = json::parse(program(command + " --json").output);
  CHECK(j["windows"] == 8);
  CHECK(j["split"]["part"] == "all");
  CHECK(j["baselines"]["unigram_counted_in"] == "the evaluated windows");
  CHECK(j["conditioning_gap"]["within_stroke_delta"].is_number());
  CHECK(j["conditioning_gap"]["within_stroke_windows"] == 8);
  CHECK(j["collapse_ratio"].is_null());  // one draw
  CHECK(j["intervals"]["collapse_ratio"]["low"].is_null());
}

TEST_CASE("weights that were trained say what was kept for the test, and what was not") {
  test::ScratchFolder scratch;
  const std::string data = small_dataset(scratch), others = small_dataset(scratch, "others", 1);
  test::write_file(scratch / "train.json",
                   R"({"model": {"encoder": "temporal", "vocabulary": 332, "d_model": 16, "heads": 2,
"encoder_layers": 0, "decoder_layers": 1, "width": 8, "blocks": 1, "window_ms": 2000, "max_sequence": 32},
"training": {"steps": 1, "batch": 2}})");
  const auto train = [&](const std::string& name, const std::string& split) {
    REQUIRE(program("train " + quoted(scratch / "train.json") + " --data " + quoted(data) + " -o " +
                    quoted(scratch / name) + " --split " + split)
                .status == 0);
    return scratch / name + "/best.safetensors";
  };
  const auto command = [&](const std::string& weights, const std::string& of, const std::string& split) {
    return "evaluate --weights " + quoted(weights) + " --data " + quoted(of) + " --split " + split +
           " --permutations 9 --draws 1 --retrieval-windows 4";
  };
  const auto evaluated = [&](const std::string& weights, const std::string& of, const std::string& split) {
    const test::CommandResult result = program(command(weights, of, split) + " --json");
    INFO(result.error);
    REQUIRE(result.status == 0);
    return json::parse(result.output);
  };
  const std::string weights = train("run", "performer:s2");
  const json tested = evaluated(weights, data, "test");
  CHECK(tested["split"]["name"] == "performer:s2");
  CHECK(tested["split"]["part"] == "test");
  CHECK(tested["split"]["may_have_been_seen"] == false);
  CHECK(tested["weights_split"]["name"] == "performer:s2");
  CHECK(tested["weights_split"]["hash"] == tested["split"]["hash"]);
  CHECK(tested["weights_split"]["of_this_data"] == true);
  CHECK(tested["recordings"][0]["performer"] == "s2");
  CHECK(tested["recordings"].size() == 2);
  // Kept by the split that is asked for, and learnt from all the same.
  const json seen = evaluated(weights, data, "performer:s1");
  CHECK(seen["split"]["part"] == "test");
  CHECK(seen["split"]["may_have_been_seen"] == true);
  CHECK(program(command(weights, data, "performer:s1")).output.find("The weights learnt from 1 of these 2") !=
        std::string::npos);
  // Of other data nothing is known but the part.
  const json elsewhere = evaluated(weights, others, "performer:s1");
  CHECK(elsewhere["weights_split"]["of_this_data"] == false);
  CHECK(elsewhere["split"]["may_have_been_seen"] == false);
  check_refused(program(command(weights, others, "test")),
                {"was trained with the split 'performer:s2' of other data", "--split performer:NAME"});
  // A split's file, wherever it lies.
  const std::string file = scratch / "mine.json";
  test::write_file(file, R"({"name": "mine", "train": ["martele_s1", "legato_s2"], "test": ["martele_s2"]})");
  const std::string mine = train("mine", quoted(file));
  const json own = evaluated(mine, data, quoted(file));
  CHECK(own["weights_split"]["of_this_data"] == true);
  CHECK(own["split"]["may_have_been_seen"] == false);
  CHECK(program(command(mine, data, quoted(file)) + " --part all")
            .output.find("The weights learnt from 2 of these 4") != std::string::npos);
  check_refused(program(command(mine, data, "test")), {"'mine' of other data, or of a file elsewhere"});
  // Begun with weights of a split that is not of this data: that is said, unless the split is the one named.
  const std::string from_mine = train("from_mine", "performer:s2 --init-from " + quoted(mine));
  CHECK(evaluated(from_mine, data, "test")["weights_split"]["begun_with_others"] == json::array({"mine"}));
  CHECK(program(command(from_mine, data, "test")).output.find("of the split 'mine' of other data") !=
        std::string::npos);
  CHECK(evaluated(from_mine, data, quoted(file))["weights_split"]["begun_with_others"].empty());
  CHECK(tested["weights_split"]["begun_with_others"].empty());
  // Begun with weights that learnt and do not say from what.
  const std::string bare = scratch / "bare.safetensors";
  REQUIRE(program("convert " + quoted(weights) + " -o " + quoted(bare)).status == 0);
  const json untold_json = evaluated(bare, data, "performer:s2");
  CHECK(untold_json["split"]["may_have_been_seen"].is_null());
  CHECK(untold_json["weights_split"].is_null());
  CHECK(program(command(bare, data, "performer:s2")).output.find("do not say what they learnt from") !=
        std::string::npos);
  const std::string from_bare = train("from_bare", "performer:s2 --init-from " + quoted(bare));
  CHECK(evaluated(from_bare, data, "test")["weights_split"]["begun_with_others"] == json::array({nullptr}));
  CHECK(program(command(from_bare, data, "test")).output.find("do not say what they learnt from") !=
        std::string::npos);
  const std::string all = train("all", "all");
  check_refused(program(command(all, data, "test")), {"'all', which keeps nothing for a test"});
  // What the weights learnt from that the training began with, however often, and though it was resumed.
  const std::string on = train("on", "performer:s1 --init-from " + quoted(all));
  const std::string last = train("last", "performer:s2 --init-from " + quoted(on));
  REQUIRE(program("train " + quoted(scratch / "train.json") + " --data " + quoted(data) + " -o " +
                  quoted(scratch / "last") + " --split performer:s2 --resume")
              .status == 0);
  for (const std::string& begun : {on, last}) {
    const json known = evaluated(begun, data, "test");
    CHECK(known["weights_split"]["name"] == (begun == on ? "performer:s1" : "performer:s2"));
    CHECK(known["split"]["may_have_been_seen"] == true);
  }
  const std::string untold = temporal_weights(scratch);
  check_refused(program(command(untold, data, "test")), {"does not say which split it was trained with"});
  CHECK(evaluated(untold, data, "performer:s2")["weights_split"].is_null());
}

TEST_CASE("an interval's recordings are those that its figure rests on") {
  test::ScratchFolder scratch;
  const std::string data = small_dataset(scratch);
  // As long as the recordings: no window's motion can be shifted.
  const std::string weights = weights_for(
      scratch,
      R"({"encoder": "temporal", "vocabulary": 332, "d_model": 16, "heads": 2, "encoder_layers": 1,
"decoder_layers": 1, "width": 8, "blocks": 1, "window_ms": 4000, "max_sequence": 32})");
  const test::CommandResult result =
      program("evaluate --weights " + quoted(weights) + " --data " + quoted(data) +
              " --part all --permutations 9 --draws 1 --retrieval-windows 1 --json");
  INFO(result.error);
  REQUIRE(result.status == 0);
  const json intervals = json::parse(result.output)["intervals"];
  CHECK(intervals["nll"]["recordings"] == 4);
  CHECK(intervals["perturbed.reversed.delta"]["recordings"] == 4);
  for (const char* path : {"perturbed.later.nll", "perturbed.earlier.delta"}) {
    CHECK(intervals[path]["windows"] == 0);
    CHECK(intervals[path]["recordings"] == 0);
  }
  CHECK(intervals["retrieval.r1"]["recordings"] == 1);
  CHECK(intervals["retrieval.r1"]["low"].is_null());
}

TEST_CASE("windows begin at random places unless a grid is asked for") {
  test::ScratchFolder scratch;
  const std::string data = small_dataset(scratch), weights = temporal_weights(scratch);
  const auto starts = [&](const std::string& options) {
    const test::CommandResult result =
        program("evaluate --weights " + quoted(weights) + " --data " + quoted(data) +
                " --split performer:s2 --permutations 9 --draws 1 --retrieval-windows 4 --json" + options);
    INFO(result.error);
    REQUIRE(result.status == 0);
    const json j = json::parse(result.output);
    CHECK(j["even_windows"] == (options == " --even-windows"));
    return j["recordings"][0]["starts_s"];
  };
  const json drawn = starts("");
  REQUIRE(drawn.size() == 6);
  bool on_grid = true;
  for (const json& start : drawn) on_grid = on_grid && std::fmod(start.get<double>(), 1.0) == 0;
  CHECK_FALSE(on_grid);
  CHECK(starts("") == drawn);
  CHECK(starts(" --windows-per-recording 6") == drawn);
  CHECK(starts(" --seed 1") != drawn);
  CHECK(starts(" --even-windows") == json::array({0.0, 1.0, 2.0}));
  check_refused(program("evaluate --weights " + quoted(weights) + " --data " + quoted(data) +
                        " --even-windows --windows-per-recording 3"),
                {"--even-windows", "--windows-per-recording"});
}

TEST_CASE("evaluate refuses in one line what it cannot use") {
  test::ScratchFolder scratch;
  const std::string data = small_dataset(scratch), weights = temporal_weights(scratch);
  const std::string command = "evaluate --weights " + quoted(weights) + " --data ";
  check_refused(program(command + quoted(scratch / "nowhere")), {"nowhere", "is no folder"});
  check_refused(program(command + quoted(data) + " --split performer:s9"),
                {"no split 'performer:s9'", "performer:s1"});
  check_refused(program(command + quoted(data) + " --part test"), {"has nothing in its part test"});
  check_refused(program(command + quoted(data) + " --part some"), {"some"});
  check_refused(program(command + quoted(data) + " --split piece:tune"),
                {"data: has music alone in the part test of the split 'piece:tune'"});
  check_refused(program(command + quoted(data) + " --sensors myo=wrist"), {"wrist"});
  check_refused(program(command + quoted(data) + " --sensors 1=myo,2=myo"),
                {"--sensors names 2 sensors; these weights take 1"});
  check_refused(program(command + quoted(data) + " --draws 0"), {"'0' must be a whole number"});
  check_refused(program(command + quoted(data) + " --top-p 2"), {"top-p"});
  check_refused(program(command + quoted(data) + " --report " + quoted(weights)), {"read as input too"});
  check_refused(program(command + quoted(data) + " --report " + quoted(scratch / "no/where.html")),
                {"no/where.html"});
  // Windows longer than any recording.
  const std::string longer = weights_for(
      scratch, R"({"encoder": "temporal", "vocabulary": 332, "d_model": 16, "heads": 2, "window_ms": 8000})");
  check_refused(program("evaluate --weights " + quoted(longer) + " --data " + quoted(data)),
                {"no window to evaluate", "less than a window"});
  test::write_file(
      scratch / "music.json",
      R"({"model": "music_transformer", "encoder": "none", "d_model": 16, "heads": 2, "max_sequence": 32})");
  const std::string music = scratch / "music.safetensors";
  REQUIRE(program("init " + quoted(scratch / "music.json") + " -o " + quoted(music)).status == 0);
  check_refused(program("evaluate --weights " + quoted(music) + " --data " + quoted(data)),
                {"music.safetensors", "writes music without motion"});
}

TEST_CASE("weights that are damaged are told so") {
  test::ScratchFolder scratch;
  const std::string data = small_dataset(scratch);
  test::Tensors tensors(temporal_weights(scratch));
  for (std::size_t i = 0; i < 16; ++i) tensors.value<float>("Wout.weight", i) = 3e38f;
  const std::string damaged = scratch / "damaged.safetensors";
  tensors.write(damaged);
  check_refused(program("evaluate --weights " + quoted(damaged) + " --data " + quoted(data)),
                {"damaged.safetensors", "no numbers"});
}

TEST_CASE("evaluate on the device judges as the CPU does") {
  test::ScratchFolder scratch;
  const std::string command =
      " evaluate --weights " + quoted(temporal_weights(scratch)) + " --data " +
      quoted(small_dataset(scratch)) +
      " --split performer:s2 --windows-per-recording 1 --draws 2 --permutations 9 --json";
  const test::CommandResult here = test::run_command(quoted(IMU2MUSIC_PROGRAM) + command),
                            there = test::run_command(quoted(IMU2MUSIC_DEVICE_PROGRAM) + command +
                                                      " --device cuda");
  INFO(there.error);
  REQUIRE(here.status == 0);
  REQUIRE(there.status == 0);
  const json wanted = json::parse(here.output), got = json::parse(there.output);
  CHECK(std::abs(got["nll"].get<double>() - wanted["nll"].get<double>()) < 1e-4);
  CHECK(got["note_count_ratio"] == wanted["note_count_ratio"]);
  CHECK(got["onset_f1"] == wanted["onset_f1"]);
}
