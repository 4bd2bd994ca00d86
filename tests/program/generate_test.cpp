#include <algorithm>
#include <string>

#include "imu2music/music/midi_file.hpp"
#include "program.hpp"

using test::program;
using test::quoted;

namespace {

// A MIDI file of one track at 96 ticks a quarter: its events, and the end.
void write_midi_events(const std::string& path, const std::string& events) {
  using namespace std::string_literals;
  const std::string track = events + "\0\xff\x2f\0"s;
  test::write_file(path,
                   "MThd\0\0\0\x06\0\0\0\x01\0\x60MTrk\0\0\0"s + static_cast<char>(track.size()) + track);
}

}  // namespace

TEST_CASE("the demo's way: score, simulated motion, untrained weights, music, sound and picture") {
  test::ScratchFolder scratch;
  const std::string recording = test::simulated_recording(scratch), weights = test::small_weights(scratch);
  const auto run = [&](const std::string& name, const std::string& options) {
    const auto result =
        program("generate " + quoted(recording) + " --weights " + quoted(weights) + " -o " +
                quoted(scratch / (name + ".mid")) + " --wav " + quoted(scratch / (name + ".wav")) +
                " --svg " + quoted(scratch / (name + ".svg")) + " --json " + options);
    INFO(result.error);
    REQUIRE(result.status == 0);
    CHECK(result.error.find("untrained") != std::string::npos);
    return nlohmann::json::parse(result.output);
  };
  const auto json = run("a", "--seed 7 --threads 1");
  CHECK(json["untrained"] == true);
  CHECK(json["notes"].get<int>() > 5);
  CHECK(json["windows"].size() >= 3);
  run("b", "--seed 7 --threads 2");
  run("c", "--seed 8");
  run("d", "--seed 7 --precision float32");
  CHECK(test::read_file(scratch / "a.mid") == test::read_file(scratch / "d.mid"));
  for (const char* precision : {"bfloat16", "int8"})
    CHECK(run("e", std::string("--seed 7 --precision ") + precision)["notes"].get<int>() > 5);
  for (const char* extension : {".mid", ".wav", ".svg"}) {
    INFO(extension);
    const std::string a = test::read_file(scratch / (std::string("a") + extension));
    CHECK(a == test::read_file(scratch / (std::string("b") + extension)));
    CHECK(a != test::read_file(scratch / (std::string("c") + extension)));
  }
  const auto midi = imu2music::read_midi_file(scratch / "a.mid");
  CHECK(midi.all_notes().size() == json["notes"].get<std::size_t>());
  CHECK(test::read_file(scratch / "a.wav").substr(0, 4) == "RIFF");
  CHECK(test::read_file(scratch / "a.svg").find("prefers-color-scheme") != std::string::npos);
}

TEST_CASE("the reference recording with the reference weights makes the three files") {
  const std::string recording = test::shared_file("golden/repovizz-recording");
  const std::string weights = test::shared_file("golden/imu-conv-d128/checkpoint.pth.tar");
  if (recording.empty() || weights.empty()) return;
  test::ScratchFolder scratch;
  for (const char* layout : {"raw", "processed"}) {
    const std::string base = scratch / layout;
    const auto result = program("generate " + quoted(recording + "/" + layout) + " --weights " +
                                quoted(weights) + " -o " + quoted(base + ".mid") + " --wav " +
                                quoted(base + ".wav") + " --svg " + quoted(base + ".svg") + " --seed 5");
    INFO(result.error);
    CHECK(result.status == 0);
    CHECK(result.error.find("untrained") == std::string::npos);
    for (const char* extension : {".mid", ".wav", ".svg"})
      CHECK(std::filesystem::file_size(base + extension) > 100);
  }
  CHECK(test::read_file(scratch / "raw.mid") == test::read_file(scratch / "processed.mid"));
}

TEST_CASE("start, duration, greedy and max-tokens are followed") {
  test::ScratchFolder scratch;
  const std::string recording = test::simulated_recording(scratch), weights = test::small_weights(scratch);
  const std::string base = "generate " + quoted(recording) + " --weights " + quoted(weights) + " --json -o ";
  const auto part = nlohmann::json::parse(
      program(base + quoted(scratch / "p.mid") + " --start 2 --duration 8 --greedy --max-tokens 9").output);
  CHECK(part["start_s"] == 2.0);
  CHECK(part["duration_s"] == 8.0);
  CHECK(part["greedy"] == true);
  REQUIRE(part["windows"].size() == 2);
  for (const auto& window : part["windows"]) CHECK(window["tokens"].get<int>() <= 9);
  for (const auto& note : imu2music::read_midi_file(scratch / "p.mid").all_notes()) CHECK(note.end <= 8.001);
  CHECK(part["held_frames"] == 100);
  const auto told = program("generate " + quoted(recording) + " --weights " + quoted(weights) + " -o " +
                            quoted(scratch / "p.mid") + " --duration 8 --greedy --seed 3 --top-k 4");
  CHECK(told.status == 0);
  CHECK(told.error.find("--greedy draws nothing: --seed, --top-k were not used") != std::string::npos);
  CHECK(told.output.find("100 frames longer than the part of the recording") != std::string::npos);
  CHECK(program("generate " + quoted(recording) + " --weights " + quoted(weights) + " -o " +
                quoted(scratch / "p.mid") + " --duration 8 --greedy=false --seed 3")
            .error.find("--greedy") == std::string::npos);
}

TEST_CASE("more tokens than the weights have positions are told") {
  test::ScratchFolder scratch;
  const std::string recording = test::simulated_recording(scratch), weights = test::small_weights(scratch);
  const auto error = [&](const std::string& tokens) {
    const auto result = program("generate " + quoted(recording) + " --weights " + quoted(weights) + " -o " +
                                quoted(scratch / "a.mid") + " --duration 6 --max-tokens " + tokens);
    REQUIRE(result.status == 0);
    return result.error;
  };
  CHECK(error("100000").find(weights + ": has 64 positions: --max-tokens 100000 was not used\n") !=
        std::string::npos);
  CHECK(error("64").find("--max-tokens") == std::string::npos);
}

TEST_CASE("narrowed sampling, beam, prime and batch are followed") {
  test::ScratchFolder scratch;
  const std::string recording = test::simulated_recording(scratch), weights = test::small_weights(scratch);
  const auto run = [&](const std::string& name, const std::string& options) {
    const auto result = program("generate " + quoted(recording) + " --weights " + quoted(weights) +
                                " --duration 14 --json -o " + quoted(scratch / name) + " " + options);
    INFO(result.error);
    REQUIRE(result.status == 0);
    return nlohmann::json::parse(result.output);
  };
  const std::string narrow = "--seed 3 --top-k 30 --top-p 0.9 --min-p 0.01 --repetition-penalty 1.2 ";
  const auto json = run("narrow.mid", narrow + "--batch 1 --threads 1");
  CHECK(json["top_k"] == 30);
  CHECK(json["top_p"] == 0.9);
  CHECK(json["min_p"] == 0.01);
  CHECK(json["repetition_penalty"] == 1.2);
  CHECK(json["beam"] == 0);
  const std::string music = test::read_file(scratch / "narrow.mid");
  for (const char* batch : {"--batch 2 --threads 2", "--batch 3 --threads 2", "--batch 50", ""}) {
    run("batch.mid", narrow + batch);
    CHECK(test::read_file(scratch / "batch.mid") == music);
  }
  run("plain.mid", "--seed 3");
  CHECK(test::read_file(scratch / "plain.mid") != music);

  // --top-k 1 and a beam one wide are greedy.
  run("greedy.mid", "--greedy");
  const std::string greedy = test::read_file(scratch / "greedy.mid");
  run("varied.mid", "--greedy --repetition-penalty 1.5 --repetition-window 8");
  CHECK(test::read_file(scratch / "varied.mid") != greedy);
  run("one.mid", "--top-k 1");
  CHECK(test::read_file(scratch / "one.mid") == greedy);
  run("beam.mid", "--beam 1");
  CHECK(test::read_file(scratch / "beam.mid") == greedy);
  const auto beam = run("beam.mid", "--beam 3 --max-tokens 12");
  CHECK(beam["beam"] == 3);
  CHECK(beam["windows"].size() == 3);

  imu2music::write_midi_file(scratch / "prime.mid",
                             std::vector<imu2music::Note>{{72, 64, 0, 0.5}, {76, 64, 0.5, 1}}, {});
  const auto primed = run("primed.mid", "--prime " + quoted(scratch / "prime.mid"));
  CHECK(primed["windows"][0]["primed_tokens"].get<int>() > 6);
  CHECK(primed["windows"][1]["primed_tokens"] == 0);
  const auto notes = imu2music::read_midi_file(scratch / "primed.mid").all_notes();
  CHECK(std::any_of(notes.begin(), notes.end(),
                    [](const imu2music::Note& note) { return note.pitch == 72 && note.start < 0.01; }));
}

TEST_CASE("decoding options out of range, or that do not go together, are refused in one line") {
  test::ScratchFolder scratch;
  const std::string recording = test::simulated_recording(scratch), weights = test::small_weights(scratch);
  const std::string base = "generate " + quoted(recording) + " --weights " + quoted(weights) + " -o " +
                           quoted(scratch / "x.mid") + " ";
  test::check_refused(program(base + "--top-p 0"), {"top-p"});
  test::check_refused(program(base + "--top-p 1.5"), {"top-p 1.5 is no share"});
  test::check_refused(program(base + "--min-p -0.1"), {"min-p"});
  test::check_refused(program(base + "--repetition-penalty 0"), {"--repetition-penalty"});
  test::check_refused(program(base + "--top-k 0"), {"--top-k"});
  test::check_refused(program(base + "--batch 0"), {"--batch"});
  test::check_refused(program(base + "--beam 0"), {"--beam"});
  test::check_refused(program(base + "--beam 4 --temperature 2"), {"--beam", "--temperature"});
  test::check_refused(program(base + "--n-best 2"), {"--n-best", "--beam"});
  test::check_refused(program(base + "--length-penalty 1"), {"--length-penalty", "--beam"});
  test::check_refused(program(base + "--beam 2 --n-best 3"), {"3 best", "2 wide"});
  test::check_refused(program(base + "--beam 2 --length-penalty 11"), {"length penalty"});
  test::check_refused(program(base + "--repetition-window 0"), {"--repetition-window"});
  test::check_refused(program(base + "--repetition-window 8"),
                      {"--repetition-window", "--repetition-penalty"});
  const std::string control = " --control 1,0,0,0,1,0,0,1,0,0,0,0";
  test::check_refused(program(base + control), {weights, "takes no control"});
  test::check_refused(program(base + "--control 1,2,3"), {"3 numbers", "12"});
  test::check_refused(program(base + "--control 1,0,0,0,1,0,0,1,0,0,0,-1"), {"'-1'"});
  test::check_refused(program(base + "--control 0,0,0,0,0,0,0,0,0,0,0,0"), {"above 0"});
  test::check_refused(program(base + "--hop 1"), {weights, "do not overlap"});
  test::check_refused(program(base + "--prime " + quoted(scratch / "none.mid")), {"none.mid"});
  imu2music::write_midi_file(scratch / "low.mid", std::vector<imu2music::Note>{{12, 64, 0, 1}}, {});
  test::check_refused(program(base + "--prime " + quoted(scratch / "low.mid")), {"low.mid", "A0"});
  CHECK(!std::filesystem::exists(scratch / "x.mid"));
}

TEST_CASE("without motion any pitch may begin, percussion may not, and options of motion are refused") {
  test::ScratchFolder scratch;
  test::write_file(
      scratch / "alone.json",
      R"({"model":"music_transformer","d_model":32,"heads":2,"decoder_layers":1,"max_sequence":48})");
  const std::string weights = scratch / "alone.safetensors";
  REQUIRE(program("init " + quoted(scratch / "alone.json") + " -o " + quoted(weights)).status == 0);
  const std::string base =
      "generate --weights " + quoted(weights) + " -o " + quoted(scratch / "x.mid") + " --json --prime ";
  imu2music::write_midi_file(scratch / "low.mid", std::vector<imu2music::Note>{{12, 64, 0, 1}}, {});
  const auto low = program(base + quoted(scratch / "low.mid"));
  INFO(low.error);
  REQUIRE(low.status == 0);
  CHECK(imu2music::read_midi_file(scratch / "x.mid").all_notes().at(0).pitch == 12);
  std::filesystem::remove(scratch / "x.mid");

  using namespace std::string_literals;
  const std::string drum = "\0\x99\x24\x40\x60\x89\x24\0"s;
  write_midi_events(scratch / "drums.mid", drum);
  write_midi_events(scratch / "both.mid", drum + "\0\x90\x3c\x40\x60\x80\x3c\0"s);
  test::check_refused(program(base + quoted(scratch / "drums.mid")), {"drums.mid", "percussion"});
  const auto both = program(base + quoted(scratch / "both.mid"));
  INFO(both.error);
  REQUIRE(both.status == 0);
  for (const imu2music::Note& note : imu2music::read_midi_file(scratch / "x.mid").all_notes())
    CHECK(note.start >= 0.4);
  std::filesystem::remove(scratch / "x.mid");

  const std::string primed = base + quoted(scratch / "low.mid");
  for (const char* option : {" --units acceleration=g", " --rate 50", " --sensors myo1=a", " --start 1"})
    test::check_refused(program(primed + option), {weights, "--units", "--rate"});
  std::vector<imu2music::Note> many;
  for (int i = 0; i < 40; ++i) many.push_back({60 + i % 5, 64, 0.25 * i, 0.25 * i + 0.2});
  imu2music::write_midi_file(scratch / "many.mid", many, {});
  const auto refused = program(base + quoted(scratch / "many.mid"));
  CHECK(refused.status == 2);
  CHECK(refused.error.find("many.mid: the notes to begin with are ") != std::string::npos);
  CHECK(!std::filesystem::exists(scratch / "x.mid"));
}

TEST_CASE("weights of a temporal encoder and vocabulary 2 make music of one sensor, or of another") {
  test::ScratchFolder scratch;
  const std::string recording = test::simulated_recording(scratch), weights = scratch / "own.safetensors";
  test::write_file(
      scratch / "own.json",
      R"({"encoder":"temporal","vocabulary":332,"d_model":32,"heads":4,"width":16,"blocks":3,"encoder_layers":1,)"
      R"("decoder_layers":1,"max_sequence":96,"window_ms":4000,"time_positions":true,"control":true})");
  REQUIRE(program("init " + quoted(scratch / "own.json") + " -o " + quoted(weights)).status == 0);
  const auto inspected = nlohmann::json::parse(program("inspect --json " + quoted(weights)).output);
  CHECK(inspected["config"]["sensors"] == 1);
  CHECK(inspected["config"]["window_ms"] == 4000);
  CHECK(inspected["config"]["time_positions"] == true);
  const auto run = [&](const std::string& name, const std::string& options) {
    const auto result = program("generate " + quoted(recording) + " --weights " + quoted(weights) +
                                " --duration 10 --json -o " + quoted(scratch / name) + " " + options);
    INFO(result.error);
    REQUIRE(result.status == 0);
    return nlohmann::json::parse(result.output);
  };
  const std::string one_arm = "--seed 2 --svg " + quoted(scratch / "a.svg");
  const auto json = run("a.mid", one_arm + " --threads 1");
  REQUIRE(json["windows"].size() == 3);
  CHECK(json["windows"][1]["start_s"] == 4.0);
  CHECK(json["held_frames"] == 0);
  CHECK(json["notes"].get<int>() > 5);
  const std::string music = test::read_file(scratch / "a.mid");
  run("b.mid", "--seed 2 --threads 2 --batch 3");
  CHECK(test::read_file(scratch / "b.mid") == music);
  const std::string picture = test::read_file(scratch / "a.svg");
  CHECK(picture.find("myo1") != std::string::npos);
  CHECK(picture.find("myo2") == std::string::npos);  // it is not heard
  run("other.mid", "--seed 2 --sensors left=myo2");
  CHECK(test::read_file(scratch / "other.mid") != music);
  run("steered.mid", "--seed 2 --control 1,0,0,0,1,0,0,1,0,0,0,0");
  CHECK(test::read_file(scratch / "steered.mid") != music);
  const auto overlapping = run("hop.mid", "--seed 2 --hop 3");
  CHECK(overlapping["windows"].size() >= 3);

  const auto best = run("n.mid", "--beam 3 --n-best 3 --length-penalty 1 --max-tokens 12");
  CHECK(best["n_best"] == 3);
  CHECK(best["outputs"].size() == 3);
  CHECK(best["windows"][0]["score"].get<double>() < 0);
  CHECK(std::filesystem::exists(scratch / "n.3.mid"));
  CHECK(test::read_file(scratch / "n.2.mid") != test::read_file(scratch / "n.mid"));

  const std::string base = "generate " + quoted(recording) + " --weights " + quoted(weights) + " -o " +
                           quoted(scratch / "x.mid") + " ";
  test::check_refused(program(base + "--sensors one=hip"), {"no sensor 'hip'"});
  test::check_refused(program(base + "--sensors 1=myo1,2=myo2"),
                      {"--sensors names 2 sensors", "these weights take 1"});
  test::check_refused(program(base + "--hop 5"), {"4 s"});
  test::write_file(scratch / "three.json", R"({"encoder":"temporal","sensors":3,"width":8,"blocks":1})");
  REQUIRE(program("init " + quoted(scratch / "three.json") + " -o " + quoted(scratch / "three.safetensors"))
              .status == 0);
  test::check_refused(program("generate " + quoted(recording) + " --weights " +
                              quoted(scratch / "three.safetensors") + " -o " + quoted(scratch / "x.mid")),
                      {"has 2 sensors", "wanted of 3 sensors", "myo1, myo2"});
  CHECK(!std::filesystem::exists(scratch / "x.mid"));
}

TEST_CASE("init and simulate make the same bytes from the same seed") {
  test::ScratchFolder scratch;
  const std::string weights = test::small_weights(scratch), first = test::read_file(weights);
  test::small_weights(scratch);
  CHECK(test::read_file(weights) == first);
  const std::string recording = test::simulated_recording(scratch);
  const std::string file = recording + "/00_myo1_gyro__x.csv", signal = test::read_file(file);
  test::simulated_recording(scratch);
  CHECK(test::read_file(file) == signal);
}

TEST_CASE("every command explains itself and speaks JSON") {
  for (const char* command : {"generate", "simulate", "init", "convert", "verify", "train", "plot", "prepare",
                              "features", "inspect", "evaluate", "info"}) {
    const auto help = program(std::string(command) + " --help");
    CHECK(help.status == 0);
    CHECK(help.output.find("--json") != std::string::npos);
    CHECK(help.output.find("--threads") != std::string::npos);
    if (help.output.find("--sensors") != std::string::npos)
      CHECK(help.output.find("1=NAME") != std::string::npos);
  }
  CHECK(program("--version").output == "imu2music 0.1.0\n");
  const auto info = nlohmann::json::parse(program("info --json --threads 1").output);
  CHECK(info["version"] == "0.1.0");
  CHECK(info["threads"]["used"] == 1);
  CHECK(info["isa"]["columns"][0] == "scalar");
}

TEST_CASE("an output never takes the place of an input, or of another output by another name") {
  test::ScratchFolder scratch;
  const std::string recording = test::simulated_recording(scratch), weights = test::small_weights(scratch);
  const std::string before = test::read_file(weights);
  const std::string base = "generate " + quoted(recording) + " --weights " + quoted(weights) + " -o ";
  test::check_refused(program(base + quoted(weights)), {weights, "input"});
  test::check_refused(program(base + quoted(recording + "/00_myo1_gyro__x.csv")),
                      {"00_myo1_gyro__x.csv", "input"});
  test::check_refused(program("convert " + quoted(weights) + " -o " + quoted(weights)), {weights, "input"});
  CHECK(test::read_file(weights) == before);
  std::filesystem::create_symlink("one", scratch.path() / "two");
  test::write_file(scratch / "one", "");
  test::check_refused(program(base + quoted(scratch / "one") + " --svg " + quoted(scratch / "two")),
                      {"two outputs"});
  test::check_refused(program(base + "/dev/stdout"), {"/dev/stdout"});
}

TEST_CASE("where one output fails, none appears") {
  if (!std::filesystem::exists("/dev/full")) return;
  test::ScratchFolder scratch;
  const std::string recording = test::simulated_recording(scratch), weights = test::small_weights(scratch);
  const auto result =
      program("generate " + quoted(recording) + " --weights " + quoted(weights) + " -o " +
              quoted(scratch / "a.mid") + " --wav " + quoted(scratch / "a.wav") + " --svg /dev/full");
  CHECK(result.status == 2);
  CHECK_FALSE(std::filesystem::exists(scratch / "a.mid"));
  CHECK_FALSE(std::filesystem::exists(scratch / "a.wav"));
}

TEST_CASE("a violinist bows no drums") {
  using namespace std::string_literals;
  test::ScratchFolder scratch;
  const std::string drums = "\0\x99\x24\x40\x60\x89\x24\0\0\x99\x26\x40\x60\x89\x26\0"s;
  const std::string note = "\0\x90\x3c\x40\x60\x80\x3c\0"s;
  write_midi_events(scratch / "drums.mid", drums);
  write_midi_events(scratch / "both.mid", drums + note);
  write_midi_events(scratch / "note.mid", "\x81\x40\x90\x3c\x40\x60\x80\x3c\0"s);  // on the same tick
  write_midi_events(scratch / "none.mid", "");
  const auto simulate = [&](const std::string& name) {
    return program("simulate " + quoted(scratch / (name + ".mid")) + " -o " + quoted(scratch / name));
  };
  const auto both = simulate("both"), alone = simulate("note");
  CHECK(both.status == 0);
  CHECK(both.error == "imu2music: " + (scratch / "both.mid") + ": left out: percussion, 2 notes\n");
  CHECK(both.output.find("bowing 1 notes") != std::string::npos);
  CHECK(alone.status == 0);
  CHECK(alone.error.empty());
  for (const char* file : {"/00_myo1_gyro__x.csv", "/00_myo2_acceleration__z.csv"})
    CHECK(test::read_file(scratch / "both" + file) == test::read_file(scratch / "note" + file));
  test::check_refused(simulate("drums"), {"drums.mid", "no note but percussion"});
  test::check_refused(simulate("none"), {"none.mid", "has no notes"});
  CHECK_FALSE(std::filesystem::exists(scratch / "drums"));
}

TEST_CASE("a real recording is never replaced by a simulated one") {
  test::ScratchFolder scratch;
  const std::string recording = test::simulated_recording(scratch);
  CHECK(program("simulate " + quoted(scratch / "score.mid") + " -o " + quoted(recording)).status == 0);
  std::filesystem::remove(recording + "/SIMULATED");
  test::check_refused(program("simulate " + quoted(scratch / "score.mid") + " -o " + quoted(recording)),
                      {recording, "not simulated"});
}

TEST_CASE("an interrupted command leaves no temporary file") {
  test::ScratchFolder scratch;
  const std::string recording = test::simulated_recording(scratch), weights = test::small_weights(scratch);
  std::filesystem::create_directory(scratch.path() / "out");
  for (const char* delay : {"0.02", "0.05", "0.1", "0.2"})
    test::run_command("cd " + quoted(scratch / "out") + " && timeout -s INT " + delay + " " +
                      quoted(IMU2MUSIC_PROGRAM) + " generate " + quoted(recording) + " --weights " +
                      quoted(weights) + " -o a.mid --wav a.wav --svg a.svg");
  for (const auto& entry : std::filesystem::directory_iterator(scratch.path() / "out"))
    CHECK(entry.path().extension() != ".tmp");
}
