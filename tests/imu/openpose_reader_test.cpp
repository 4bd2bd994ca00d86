#include "imu2music/imu/openpose_reader.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <span>
#include <string>

#include "error_text.hpp"
#include "imu2music/imu/read_recording.hpp"
#include "openpose_folder.hpp"

using namespace imu2music;

namespace {

Recording read(const test::ScratchFolder& scratch, double rate_hz = 0) {
  return read_openpose(scratch.path().string(), list_entries(scratch.path().string()), rate_hz);
}

std::string refusal(const test::ScratchFolder& scratch) {
  return test::error_text<InputError>([&] { read(scratch); });
}

}  // namespace

TEST_CASE("a video's frames: 25 keypoints of the body and 42 of the hands, by name") {
  test::ScratchFolder scratch;
  test::write_openpose(scratch.path().string(), 40, 17);
  test::write_file(scratch / "notes.txt", "other files are passed over");
  const Recording recording = read_recording(scratch.path().string());
  CHECK(recording.format == "OpenPose keypoints");
  REQUIRE(recording.sensors.size() == 67);
  check_recording(recording);
  CHECK(recording.sensors[0].name == "Nose");
  CHECK(recording.sensors[4].name == "RWrist");
  CHECK(recording.sensors[25].name == "left_hand0");
  CHECK(recording.sensors[66].name == "right_hand20");
  const SensorTrack& wrist = *recording.find_sensor("RWrist");
  CHECK(wrist.clock.rate_hz == 30);
  CHECK(wrist.sample_count() == 40);
  const double swing = 50 * std::sin(2 * 3.14159265358979 * 2 * 3 / 30.0);
  CHECK(wrist.find(Quantity::image_position)->axis(0)[3] == doctest::Approx(340 + swing));
  CHECK(wrist.find(Quantity::image_position)->axis(1)[3] == doctest::Approx(180 + swing));
  CHECK(wrist.find(Quantity::confidence)->axis(0)[3] == doctest::Approx(0.9));
  REQUIRE(recording.notes.size() == 1);
  CHECK(recording.notes[0].find("30 frames") != std::string::npos);
  const Recording slower = read(scratch, 25);
  CHECK(slower.sensors[0].clock.rate_hz == 25);
  CHECK(slower.notes.empty());
}

TEST_CASE("a body without hands has no hands; frames and keypoints that lack are missing values") {
  test::ScratchFolder scratch;
  test::write_openpose(scratch.path().string(), 10, 0, false);
  std::filesystem::remove(scratch / test::openpose_name(4));
  test::write_file(scratch / test::openpose_name(6), test::openpose_frame(""));
  std::string lost = test::openpose_person(7, 300, 200, false);
  const std::size_t first = lost.find("[3");  // the nose's x, y and confidence
  lost.replace(first, lost.find(",310", first) - first, "[0,0,0");
  test::write_file(scratch / test::openpose_name(7), test::openpose_frame(lost));
  const Recording recording = read(scratch);
  REQUIRE(recording.sensors.size() == 25);
  const SensorTrack &nose = recording.sensors[0], &neck = recording.sensors[1];
  REQUIRE(nose.sample_count() == 10);
  for (const std::size_t i : {4, 6, 7}) {
    CHECK(std::isnan(nose.find(Quantity::image_position)->axis(0)[i]));
    CHECK(nose.find(Quantity::confidence)->axis(0)[i] == 0);
  }
  CHECK(neck.find(Quantity::image_position)->axis(0)[7] == doctest::Approx(310));
  CHECK(nose.find(Quantity::image_position)->axis(0)[8] == doctest::Approx(300));
  REQUIRE(recording.notes.size() == 2);
  CHECK(recording.notes[1] == "nobody is in 2 of 10 frames");
}

TEST_CASE("of several people one is followed, in whatever order they are listed") {
  test::ScratchFolder scratch;
  for (int frame = 0; frame < 20; ++frame) {
    const std::string here = test::openpose_person(frame, 300 + frame, 200),
                      there = test::openpose_person(frame, 700, 200, false);  // less of it: less sure
    test::write_file(scratch / test::openpose_name(frame),
                     test::openpose_frame(frame % 3 == 0 ? there + "," + here : here + "," + there));
  }
  const Recording recording = read(scratch);
  for (std::size_t frame = 0; frame < 20; ++frame)
    CHECK(recording.sensors[0].find(Quantity::image_position)->axis(0)[frame] ==
          doctest::Approx(300 + static_cast<double>(frame)));
  CHECK(recording.notes.back().find("several people are in 20 of 20 frames") != std::string::npos);
}

TEST_CASE("a detection that is missed gives nobody else's keypoints") {
  test::ScratchFolder scratch;
  for (int frame = 0; frame < 40; ++frame) {
    const std::string here = test::openpose_person(frame, 300, 200),
                      there = test::openpose_person(frame, 900, 200, false);
    const bool missed = frame == 10 || frame == 20;
    test::write_file(scratch / test::openpose_name(frame),
                     test::openpose_frame(missed ? there : there + "," + here));
  }
  const Recording recording = read(scratch);
  const std::span<const float> x = recording.sensors[0].find(Quantity::image_position)->axis(0);
  for (std::size_t frame = 0; frame < 40; ++frame) {
    if (frame == 10 || frame == 20)
      CHECK(std::isnan(x[frame]));
    else
      CHECK(x[frame] == doctest::Approx(300));
  }
  CHECK(recording.notes.back() == "only others are in 2 of 40 frames");
}

TEST_CASE("one keypoint found by mistake is no match for the person") {
  test::ScratchFolder scratch;
  for (int frame = 0; frame < 20; ++frame) {
    // Its neck lies where the person's was; the person has moved on.
    const std::string ghost = "{\"pose_keypoints_2d\":[0,0,0," + std::to_string(310 + 4 * (frame - 1)) +
                              ",195,0.1" +
                              [] {
                                std::string zeros;
                                for (int k = 2; k < 25; ++k) zeros += ",0,0,0";
                                return zeros;
                              }() +
                              "]}";
    const std::string here = test::openpose_person(frame, 300 + 4 * frame, 200);
    test::write_file(scratch / test::openpose_name(frame),
                     test::openpose_frame(frame == 0 ? here : ghost + "," + here));
  }
  const Recording recording = read(scratch);
  for (std::size_t frame = 0; frame < 20; ++frame)
    CHECK(recording.sensors[0].find(Quantity::image_position)->axis(0)[frame] ==
          doctest::Approx(300 + 4 * static_cast<double>(frame)));
}

TEST_CASE("after a second without the person the surest is followed anew, and the notes say so") {
  test::ScratchFolder scratch;
  for (int frame = 0; frame < 60; ++frame)
    test::write_file(scratch / test::openpose_name(frame),
                     test::openpose_frame(test::openpose_person(frame, frame < 20 ? 300 : 1500, 200)));
  const Recording recording = read(scratch);
  const std::span<const float> x = recording.sensors[0].find(Quantity::image_position)->axis(0);
  CHECK(x[19] == doctest::Approx(300));
  for (std::size_t frame = 20; frame < 50; ++frame) CHECK(std::isnan(x[frame]));
  for (std::size_t frame = 50; frame < 60; ++frame) CHECK(x[frame] == doctest::Approx(1500));
  REQUIRE(recording.notes.size() == 3);
  CHECK(recording.notes[1] == "only others are in 30 of 60 frames");
  CHECK(recording.notes[2] == "the person was lost for a second, and the surest followed anew, 1 time");
}

TEST_CASE("a group of keypoints none of which is ever found makes no sensors") {
  const auto zeros = [](const std::string& key, int keypoints) {
    std::string text = "\"" + key + "\":[0";
    for (int i = 1; i < 3 * keypoints; ++i) text += ",0";
    return text + "]";
  };
  test::ScratchFolder no_hands, no_body;
  for (int frame = 0; frame < 10; ++frame) {
    test::write_file(no_hands / test::openpose_name(frame),
                     test::openpose_frame("{" + test::openpose_numbers("pose_keypoints_2d", 25, 300, 200, 0) +
                                          "," + zeros("hand_left_keypoints_2d", 21) + "," +
                                          zeros("hand_right_keypoints_2d", 21) + "}"));
    test::write_file(
        no_body / test::openpose_name(frame),
        test::openpose_frame("{" + zeros("pose_keypoints_2d", 25) + "," +
                             test::openpose_numbers("hand_left_keypoints_2d", 21, 300, 200, 0) + "}"));
  }
  CHECK(read(no_hands).sensors.size() == 25);
  const Recording hands = read(no_body);
  REQUIRE(hands.sensors.size() == 42);
  CHECK(hands.sensors[0].name == "left_hand0");
}

TEST_CASE("what is no frame of OpenPose is refused in a line") {
  const std::string good = test::openpose_person(0);
  const auto refused = [&](const std::string& text, std::initializer_list<std::string_view> parts) {
    test::ScratchFolder scratch;
    test::write_openpose(scratch.path().string(), 3);
    test::write_file(scratch / test::openpose_name(1), text);
    const std::string line = refusal(scratch);
    CHECK(line.find(test::openpose_name(1)) != std::string::npos);
    CHECK(test::is_line_with(line, parts));
  };
  refused("{\"people\":[", {"is not JSON", "--write_json"});
  refused("{\"version\":1.3}", {"no list of people"});
  refused("[]", {"no list of people"});
  refused(test::openpose_frame("{\"pose_keypoints_2d\":[1,2,3]}"), {"3 numbers", "75", "BODY_25"});
  refused(test::openpose_frame("{\"hand_left_keypoints_2d\":[1,2,3]}"), {"3 numbers", "63"});
  refused(test::openpose_frame("{\"pose_keypoints_2d\":[1,null,3]}"), {"null", "numbers are right"});
  refused(test::openpose_frame("{\"pose_keypoints_2d\":[1,[2],3]}"), {"a list", "numbers are right"});
  refused(test::openpose_frame("{\"pose_keypoints_2d\":[1,{},3]}"), {"an object", "numbers are right"});
  refused(test::openpose_frame("{\"pose_keypoints_2d\":[1e300,2,3]}"), {"out of range"});
}

TEST_CASE("folders that are no one video are refused in a line") {
  test::ScratchFolder two;
  test::write_openpose(two.path().string(), 2);
  test::write_file(two / test::openpose_name(2, "cello"), test::openpose_frame(""));
  CHECK(test::is_line_with(refusal(two), {"two videos", "'cello_'", "'violin_'"}));
  test::ScratchFolder far;
  test::write_openpose(far.path().string(), 2);
  test::write_openpose(far.path().string(), 1, 999999999);
  CHECK(test::is_line_with(refusal(far), {"3 frames of 1000000000"}));
  // Numbers too large to be counted, and to be read at all.
  for (const char* number : {"9223372036854775807", "1000000000001", "99999999999999999999999"}) {
    test::ScratchFolder large;
    const std::string name = "violin_" + std::string(number) + "_keypoints.json";
    test::write_openpose(large.path().string(), 2);
    test::write_file(large / name, test::openpose_frame(""));
    CHECK(test::is_line_with(refusal(large), {name, "above 10^12"}));
  }
  test::ScratchFolder nobody;
  test::write_file(nobody / test::openpose_name(0), test::openpose_frame(""));
  test::write_file(nobody / test::openpose_name(1), test::openpose_frame("{},{}"));
  CHECK(test::is_line_with(refusal(nobody), {"nobody"}));
  test::ScratchFolder twice;
  test::write_openpose(twice.path().string(), 1);
  test::write_file(twice / "violin_0_keypoints.json", test::openpose_frame(""));
  CHECK(test::is_line_with(refusal(twice), {"frame 0 a second time"}));
}
