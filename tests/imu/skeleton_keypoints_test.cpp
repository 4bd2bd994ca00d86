#include "imu2music/imu/skeleton_keypoints.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <string>

#include "error_text.hpp"
#include "imu2music/imu/read_recording.hpp"
#include "imu2music/models/skeleton_graphs.hpp"
#include "openpose_folder.hpp"

using namespace imu2music;

namespace {

float value(const SkeletonKeypoints& keypoints, std::int64_t c, std::int64_t v, std::int64_t frame) {
  return keypoints.values[(c * keypoints.values.dim(1) + v) * keypoints.frames() + frame];
}

SensorTrack still(const std::string& name, float x, float y, std::int64_t n, double rate_hz) {
  SensorTrack sensor;
  sensor.name = name;
  sensor.clock.rate_hz = rate_hz;
  Channel place(Quantity::position, n);
  for (std::int64_t i = 0; i < n; ++i) {
    place.axis(0)[static_cast<std::size_t>(i)] = x;
    place.axis(1)[static_cast<std::size_t>(i)] = y;
    place.axis(2)[static_cast<std::size_t>(i)] = 2;
  }
  sensor.channels = {place};
  return sensor;
}

}  // namespace

TEST_CASE("every layout has the nodes and values of its graph") {
  test::ScratchFolder scratch;
  test::write_openpose(scratch.path().string(), 60);
  const Recording recording = read_recording(scratch.path().string());
  CHECK(has_keypoints(recording));
  for (const char* layout : {"body25", "hands", "body65"}) {
    const SkeletonGraph graph = skeleton_graph(layout);
    CHECK(static_cast<std::int64_t>(skeleton_node_names(layout).size()) == graph.nodes);
    const SkeletonKeypoints keypoints = skeleton_keypoints(recording, layout);
    CHECK(keypoints.values.shape() == Shape{graph.channels, graph.nodes, 50});  // 60 frames are 2 s
    CHECK(keypoints.start_s == 0);
  }
  CHECK(skeleton_node_names("body65")[24] == std::vector<std::string>{"RHeel"});
  CHECK(skeleton_node_names("body65")[25] == std::vector<std::string>{"left_hand1"});
  CHECK(skeleton_node_names("body65")[45] == std::vector<std::string>{"right_hand1"});
  CHECK(skeleton_node_names("hands")[21] == std::vector<std::string>{"right_hand0"});
}

TEST_CASE("a swing in pixels is the same swing at 25 Hz, wherever the camera stands") {
  test::ScratchFolder near, far;
  for (int frame = 0; frame < 90; ++frame) {
    test::write_file(near / test::openpose_name(frame), test::openpose_frame(test::openpose_person(frame)));
    test::write_file(far / test::openpose_name(frame),
                     test::openpose_frame(test::openpose_person(frame, 1300, -40)));
  }
  const SkeletonKeypoints a = skeleton_keypoints(read_recording(near.path().string()), "body25"),
                          b = skeleton_keypoints(read_recording(far.path().string()), "body25");
  REQUIRE(a.frames() == 75);
  // Node 3 stands still at 10 pixels a node from the neck: with the wrist's swing it tells the unit.
  const double unit = 20 / static_cast<double>(value(a, 0, 3, 0) - value(a, 0, 1, 0));
  for (std::int64_t frame = 1; frame < 74; ++frame) {
    const double t = static_cast<double>(frame) / 25;
    const double swing = 50 * std::sin(2 * std::numbers::pi * 2 * t);
    // Interpolated linearly between samples at 30 Hz: 2 % of the swing at most.
    CHECK(unit * static_cast<double>(value(a, 0, 4, frame) - value(a, 0, 3, frame)) ==
          doctest::Approx(10 + swing).epsilon(0.05).scale(60));
    CHECK(value(a, 2, 4, frame) == doctest::Approx(0.9));
    for (std::int64_t v = 0; v < 25; ++v)
      for (std::int64_t c = 0; c < 2; ++c)
        CHECK(value(a, c, v, frame) == doctest::Approx(value(b, c, v, frame)).epsilon(1e-4));
  }
}

TEST_CASE("the Kinect's joints stand for nodes; what it lacks is 0, with confidence 0") {
  Recording recording;
  recording.source = "kinect";
  // The camera sees a right hand, at x > 0 of its own axes, on the picture's left.
  recording.sensors = {still("WristRight", 0.5F, 0.1F, 60, 30), still("WristLeft", -0.5F, 0.1F, 60, 30),
                       still("Head", 0, 0.7F, 60, 30), still("SpineShoulder", 0, 0.4F, 60, 30)};
  const SkeletonKeypoints keypoints = skeleton_keypoints(recording, "body25");
  CHECK(keypoints.frames() == 50);
  CHECK(value(keypoints, 0, 4, 20) < 0);
  CHECK(value(keypoints, 0, 7, 20) == doctest::Approx(-value(keypoints, 0, 4, 20)));
  CHECK(value(keypoints, 1, 0, 20) < value(keypoints, 1, 1, 20));  // y is down: the head is above the neck
  CHECK(value(keypoints, 1, 1, 20) < value(keypoints, 1, 4, 20));
  CHECK(value(keypoints, 2, 4, 20) == 1);
  for (const std::int64_t lacking : {2, 8, 24})
    for (std::int64_t c = 0; c < 3; ++c) CHECK(value(keypoints, c, lacking, 20) == 0);
  // The unit: the root mean square distance from the median, (0, -0.25 between 0.1 and 0.4).
  double squares = 0;
  for (const std::int64_t v : {0, 1, 4, 7})
    for (std::int64_t c = 0; c < 2; ++c)
      squares += std::pow(static_cast<double>(value(keypoints, c, v, 20)), 2);
  CHECK(squares / 4 == doctest::Approx(1));
}

TEST_CASE("short gaps are bridged, long ones are 0") {
  Recording recording;
  recording.source = "gaps";
  recording.sensors = {still("RWrist", 0.5F, 0.1F, 75, 25), still("LWrist", -0.5F, 0.3F, 75, 25)};
  const auto lose = [&](std::size_t first, std::size_t end) {
    for (std::size_t i = first; i < end; ++i) recording.sensors[0].channels[0].axis(0)[i] = std::nanf("");
  };
  lose(10, 15);  // 0.24 s from sample to sample
  lose(30, 36);  // 0.28 s
  lose(70, 75);  // at the end
  const SkeletonKeypoints keypoints = skeleton_keypoints(recording, "body25");
  REQUIRE(keypoints.frames() == 75);
  for (std::int64_t frame = 0; frame < 75; ++frame) {
    const bool there = !(frame >= 30 && frame < 36) && frame < 70;
    INFO(frame);
    CHECK(value(keypoints, 2, 4, frame) == (there ? 1 : 0));
    CHECK((value(keypoints, 0, 4, frame) != 0) == there);
    CHECK(value(keypoints, 2, 7, frame) == 1);
  }
}

TEST_CASE("a recording slower than gaps are long is bridged all the same, and its last sample stands") {
  Recording recording;
  recording.source = "slow";
  recording.sensors = {still("RWrist", 0.5F, 0.1F, 8, 2), still("LWrist", -0.5F, 0.3F, 8, 2),
                       still("Nose", 0, 1, 8, 2)};
  recording.sensors[1].channels[0].axis(0)[4] = std::nanf("");
  recording.sensors[2].channels[0].axis(0)[7] = std::nanf("");
  const SkeletonKeypoints keypoints = skeleton_keypoints(recording, "body25");
  REQUIRE(keypoints.frames() == 100);
  for (std::int64_t frame = 0; frame < 100; ++frame) {
    const double t = static_cast<double>(frame) / 25;
    INFO(frame);
    CHECK(value(keypoints, 2, 4, frame) == 1);
    CHECK(value(keypoints, 2, 7, frame) == (t > 1.5 && t < 2.5 ? 0 : 1));
    CHECK(value(keypoints, 2, 0, frame) == (t > 3 ? 0 : 1));
  }
}

TEST_CASE("a position with confidence 0, or one that is no number, is none") {
  Recording recording;
  recording.source = "doubtful";
  recording.sensors = {still("RWrist", 0.5F, 0.1F, 75, 25), still("LWrist", -0.5F, 0.3F, 75, 25)};
  Channel sure(Quantity::confidence, 75);
  std::fill(sure.samples.begin(), sure.samples.end(), 0.5F);
  std::fill(sure.samples.begin() + 20, sure.samples.begin() + 40, 0.0F);
  std::fill(sure.samples.begin() + 50, sure.samples.begin() + 70, std::nanf(""));
  recording.sensors[0].channels.push_back(sure);
  // Where it was not found its position may be anything.
  for (std::size_t i = 20; i < 40; ++i) recording.sensors[0].channels[0].axis(0)[i] = 1000;
  const SkeletonKeypoints keypoints = skeleton_keypoints(recording, "body25");
  for (std::int64_t frame = 0; frame < 75; ++frame) {
    const bool there = !(frame >= 20 && frame < 40) && !(frame >= 50 && frame < 70);
    INFO(frame);
    CHECK(value(keypoints, 2, 4, frame) == (there ? 0.5F : 0.0F));
    CHECK(value(keypoints, 0, 4, frame) == (there ? value(keypoints, 0, 4, 0) : 0.0F));
  }
}

TEST_CASE("keypoints are those that some layout takes, by any of their names") {
  Recording recording;
  recording.source = "r";
  const auto has = [&](const std::string& name) {
    recording.sensors = {still(name, 0, 1, 30, 30), still("other", 1, 1, 30, 30)};
    return has_keypoints(recording);
  };
  for (const char* name : {"RWrist", "WristLeft", "right_wrist", "left_wrist", "left_hand0", "right_hand20"})
    CHECK(has(name));
  for (const char* name : {"joint1", "Head", "right_elbow"}) CHECK_FALSE(has(name));
  recording.sensors = {still("right_wrist", 0, 1, 30, 30), still("right_elbow", 1, 0, 30, 30),
                       still("right_shoulder", 1, 1, 30, 30)};
  const SkeletonKeypoints keypoints = skeleton_keypoints(recording, "body25");
  for (const std::int64_t v : {2, 3, 4}) CHECK(value(keypoints, 2, v, 3) == 1);
  for (float& x : recording.sensors[0].channels[0].samples) x = std::nanf("");
  CHECK_FALSE(has_keypoints(recording));
}

TEST_CASE("recordings without the keypoints that are wanted are refused in a line") {
  Recording recording;
  recording.source = "r";
  recording.sensors = {still("Head", 0, 1, 30, 30)};
  const auto refusal = [&](const std::string& layout) {
    return test::error_text<InputError>([&] { skeleton_keypoints(recording, layout); });
  };
  CHECK(test::is_line_with(refusal("body25"), {"r: lacks the keypoints of a body", "Head", "RWrist"}));
  CHECK(test::is_line_with(refusal("hands"), {"r: lacks the keypoints of hands", "left_hand0"}));
  recording.sensors.push_back(still("RWrist", 0, 1, 30, 30));
  CHECK(test::is_line_with(refusal("body65"), {"lacks the keypoints of hands"}));
  CHECK(test::is_line_with(refusal("body25"), {"at one place"}));
  CHECK_NOTHROW(require_keypoints(recording, "body25"));
  // What is there by name alone is not there.
  Channel never(Quantity::confidence, 30);
  recording.sensors[1].channels.push_back(never);
  CHECK(test::is_line_with(refusal("body25"), {"lacks the keypoints of a body; it has Head;", "RWrist"}));
  for (float& x : recording.sensors[0].channels[0].samples) x = std::nanf("");
  CHECK(test::is_line_with(refusal("body25"), {"it has none that was found"}));
  CHECK_THROWS_AS(require_keypoints(recording, "body25"), InputError);
}

TEST_CASE("frames go to the encoder's order: value, frame, node") {
  test::ScratchFolder scratch;
  test::write_openpose(scratch.path().string(), 30);
  const SkeletonKeypoints keypoints = skeleton_keypoints(read_recording(scratch.path().string()), "hands");
  std::vector<float> input(2 * 5 * 42);
  skeleton_input(keypoints, 3, 5, input.data());
  for (std::int64_t c = 0; c < 2; ++c)
    for (std::int64_t t = 0; t < 5; ++t)
      for (std::int64_t v = 0; v < 42; ++v)
        CHECK(input[static_cast<std::size_t>((c * 5 + t) * 42 + v)] == value(keypoints, c, v, 3 + t));
}
