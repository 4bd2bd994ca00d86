#include "imu2music/imu/reference_features.hpp"

#include <cmath>
#include <vector>

#include "error_text.hpp"
#include "imu2music/imu/repovizz_reader.hpp"
#include "imu2music/imu/resample.hpp"
#include "imu2music/io/safetensors.hpp"
#include "support.hpp"

using namespace imu2music;
using test::is_line_with;

namespace {

Recording two_armbands(std::int64_t n, double rate_hz = 25) {
  Recording recording;
  recording.source = "take";
  for (const char* name : {"myo1", "myo2"}) {
    SensorTrack sensor;
    sensor.name = name;
    sensor.clock.rate_hz = rate_hz;
    for (const Quantity quantity : {Quantity::acceleration, Quantity::rotation, Quantity::angular_velocity})
      sensor.channels.emplace_back(quantity, n);
    recording.sensors.push_back(sensor);
  }
  return recording;
}

std::string fault_of(const Recording& recording, std::int64_t start, std::int64_t frames) {
  std::vector<float> out(static_cast<std::size_t>(6 * std::max<std::int64_t>(frames, 0)));
  return test::error_text<InputError>([&] { reference_features(recording, start, frames, out); });
}

}  // namespace

TEST_CASE("features of the reference recording agree with the reference") {
  const std::string expected_path = test::shared_file("golden/repovizz-recording/expected.safetensors");
  if (expected_path.empty()) return;
  const TensorFile file = read_safetensors(expected_path);
  REQUIRE(file.find("features") != nullptr);
  const std::vector<float> expected = values_of<float>(*file.find("features"));
  REQUIRE(expected.size() == 900);
  for (const char* layout : {"raw", "raw/27_take", "processed", "processed/27_take"}) {
    CAPTURE(layout);
    const std::string folder = IMU2MUSIC_SHARED_DIR "/golden/repovizz-recording/";
    const Recording recording = read_repovizz(folder + layout);
    CHECK(recording.find_sensor("myo1")->sample_count() == 563);
    std::vector<float> features(900);
    reference_features(at_rate(recording, 25), 25, 150, features);
    double worst = 0;
    for (std::size_t i = 0; i < 900; ++i)
      worst = std::max(worst, std::abs(static_cast<double>(features[i]) - static_cast<double>(expected[i])));
    CHECK(worst < 1e-5);
    MESSAGE(std::string(layout) << ": greatest difference " << worst);

    reference_features(recording, 26, 150, features);
    worst = 0;
    for (std::size_t i = 0; i < 900; ++i)
      worst = std::max(worst, std::abs(static_cast<double>(features[i]) - static_cast<double>(expected[i])));
    CHECK(worst > 1e-2);  // the check above does see a wrong frame
  }
  CHECK(is_line_with(
      test::error_text<InputError>([&] { read_repovizz(IMU2MUSIC_SHARED_DIR "/golden/repovizz-recording"); }),
      {"raw/27_take", "processed/27_take", "choose"}));
}

TEST_CASE("the formula, the order of sensors and quantities, and the units") {
  Recording recording = two_armbands(3);
  std::swap(recording.sensors[0], recording.sensors[1]);  // found by name, not by place
  const auto set = [&](const char* name, Quantity quantity, float x, float y, float z) {
    for (SensorTrack& sensor : recording.sensors)
      for (Channel& channel : sensor.channels)
        if (sensor.name == name && channel.quantity == quantity) {
          channel.axis(0)[1] = x;
          channel.axis(1)[1] = y;
          channel.axis(2)[1] = z;
        }
  };
  set("myo1", Quantity::rotation, 4, 0, -4);
  set("myo1", Quantity::angular_velocity, static_cast<float>(300 * radians_per_degree), 0, 0);
  set("myo2", Quantity::acceleration, 20, 20, 20);
  std::vector<float> out(18, -1.0f);
  reference_features(recording, 0, 3, out);
  CHECK(out[1] == doctest::Approx(std::sqrt(1.0 + 0.25)));
  CHECK(out[3 + 1] == doctest::Approx(std::sqrt(2.25 + 0.25 + 0.25)));
  CHECK(out[9 + 6 + 1] == doctest::Approx(std::sqrt(3.0)));
  for (const std::size_t i : {0u, 2u, 6u, 7u, 9u, 10u, 13u, 15u, 17u})
    CHECK(out[i] == doctest::Approx(std::sqrt(0.75)));
}

TEST_CASE("windows at the edges") {
  Recording recording = two_armbands(160);
  for (Channel& channel : recording.sensors[0].channels)
    for (std::size_t i = 0; i < 160; ++i) channel.axis(0)[i] = static_cast<float>(i);
  CHECK(reference_frame_count(recording) == 160);
  CHECK(fault_of(recording, 10, 150).empty());
  CHECK(is_line_with(fault_of(recording, 11, 150), {"take", "160 frames", "150 from frame 11", "0 to 10"}));
  CHECK(is_line_with(fault_of(recording, -1, 150), {"frame -1"}));
  CHECK(is_line_with(fault_of(recording, 0, 161), {"160 frames", "longer recording"}));
  CHECK_FALSE(fault_of(recording, INT64_MAX, 150).empty());

  std::vector<float> window(6 * 150), whole(6 * 160);
  reference_features(recording, 0, 160, whole);
  reference_features(recording, 10, 150, window);
  for (std::size_t row = 0; row < 6; ++row)
    for (std::size_t frame = 0; frame < 150; ++frame)
      REQUIRE(window[row * 150 + frame] == whole[row * 160 + 10 + frame]);
  CHECK_FALSE(fault_of(two_armbands(0), 0, 150).empty());
}

TEST_CASE("sensors of two lengths count to the shorter one's end") {
  Recording recording = two_armbands(200);
  recording.sensors[1] = two_armbands(170).sensors[1];
  CHECK(reference_frame_count(recording) == 170);
  CHECK(is_line_with(fault_of(recording, 21, 150), {"170 frames"}));
}

TEST_CASE("what is missing is told beside what there is") {
  Recording recording = two_armbands(160);
  recording.sensors[1].name = "phone";
  CHECK(is_line_with(fault_of(recording, 0, 150),
                     {"take", "no sensor myo2", "myo1, phone", "need myo1 and myo2", "--sensors"}));
  recording.sensors.clear();
  CHECK(is_line_with(fault_of(recording, 0, 150), {"no sensor myo1", "none"}));
  recording = two_armbands(160);
  recording.sensors[1].channels.erase(recording.sensors[1].channels.begin() + 1);
  CHECK(is_line_with(fault_of(recording, 0, 150),
                     {"sensor myo2 has no rotation", "it has: acceleration, angular velocity"}));
  CHECK(is_line_with(fault_of(two_armbands(160, 50), 0, 150), {"myo1 is at 50 Hz", "25 Hz"}));
  CHECK(fault_of(at_rate(two_armbands(320, 50), 25), 10, 150).empty());
}

TEST_CASE("an output of the wrong size is a mistake of the caller") {
  const Recording recording = two_armbands(160);
  std::vector<float> out(899);
  CHECK_THROWS_AS(reference_features(recording, 0, 150, out), ShapeError);
  out.resize(6);
  CHECK_THROWS_AS(reference_features(recording, 0, 0, out), ShapeError);
  CHECK_THROWS_AS(reference_features(recording, 0, -1, out), ShapeError);
  CHECK_NOTHROW(reference_features(recording, 0, 1, out));
}

TEST_CASE(
    "axes come sensor by sensor: rotation, gyro in degrees/s, acceleration, x, y, z each, not normalised") {
  Recording recording = two_armbands(4);
  for (std::size_t s = 0; s < 2; ++s)
    for (Channel& channel : recording.sensors[s].channels)
      for (int axis = 0; axis < 3; ++axis)
        for (std::size_t i = 0; i < 4; ++i)
          channel.axis(axis)[i] = static_cast<float>(1000 * s) + static_cast<float>(100 * axis) +
                                  static_cast<float>(i) +
                                  (channel.quantity == Quantity::rotation ? 0.5f : 0.0f);
  std::vector<float> out(2 * 9 * 3);
  reference_axes(recording, 1, 3, out);
  for (std::size_t s = 0; s < 2; ++s)
    for (std::size_t row = 0; row < 9; ++row)
      for (std::size_t frame = 0; frame < 3; ++frame) {
        const double plain = 1000.0 * static_cast<double>(s) + 100.0 * static_cast<double>(row % 3) +
                             static_cast<double>(frame + 1);
        const double wanted = row < 3 ? plain + 0.5 : row < 6 ? plain / radians_per_degree : plain;
        CHECK(out[(s * 9 + row) * 3 + frame] == doctest::Approx(wanted));
      }
  out.resize(2 * 9 * 5);
  CHECK_THROWS_AS(reference_axes(recording, 0, 5, out), InputError);
  CHECK_THROWS_AS(reference_axes(recording, 0, 4, std::span<float>(out).first(71)), ShapeError);
}
