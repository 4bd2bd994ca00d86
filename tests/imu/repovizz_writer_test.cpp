#include "imu2music/imu/repovizz_writer.hpp"

#include <sys/stat.h>

#include <filesystem>
#include <limits>
#include <string>

#include "error_text.hpp"
#include "imu2music/core/random.hpp"
#include "support.hpp"

using namespace imu2music;
using test::is_line_with;

namespace {

Recording random_recording(std::uint64_t seed, std::int64_t n, double rate_hz) {
  Philox random(seed);
  Recording recording;
  recording.source = "random";
  for (const char* name : {"myo1", "myo2"}) {
    SensorTrack sensor;
    sensor.name = name;
    sensor.clock.rate_hz = rate_hz;
    for (const Quantity quantity : {Quantity::rotation, Quantity::angular_velocity, Quantity::acceleration}) {
      Channel channel(quantity, n);
      for (float& sample : channel.samples)
        sample =
            static_cast<float>(random.normal() * std::pow(10.0, static_cast<double>(random.below(12)) - 8));
      sensor.channels.push_back(channel);
    }
    recording.sensors.push_back(sensor);
  }
  return recording;
}

std::string writing_fault(const Recording& recording, const std::string& folder) {
  return test::error_text<InputError>([&] { write_repovizz(recording, folder); });
}

}  // namespace

TEST_CASE("a recording reads back with the same floats") {
  test::ScratchFolder scratch;
  Recording recording = random_recording(1, 500, 25);
  recording.sensors[0].channels[0].samples[0] = 0.0f;
  recording.sensors[0].channels[1].samples[1] = std::numeric_limits<float>::denorm_min();
  recording.sensors[0].channels[1].samples[2] = std::numeric_limits<float>::max();
  recording.sensors[1].channels[2].samples[3] = -std::numeric_limits<float>::max();
  recording.sensors[1].clock.rate_hz = 33.333333333333336;
  write_repovizz(recording, scratch / "a/b/take");
  const Recording read = read_repovizz(scratch / "a/b/take");
  REQUIRE(read.sensors.size() == 2);
  for (std::size_t s = 0; s < 2; ++s) {
    CHECK(read.sensors[s].name == recording.sensors[s].name);
    CHECK(read.sensors[s].clock.rate_hz == recording.sensors[s].clock.rate_hz);
    REQUIRE(read.sensors[s].channels.size() == 3);
    for (std::size_t c = 0; c < 3; ++c) {
      CHECK(read.sensors[s].channels[c].quantity == recording.sensors[s].channels[c].quantity);
      CHECK(read.sensors[s].channels[c].samples == recording.sensors[s].channels[c].samples);
    }
  }
}

TEST_CASE("files have the layout's two lines, units and extremes") {
  test::ScratchFolder scratch;
  Recording recording = random_recording(1, 2, 25);
  recording.sensors[0].channels[1].axis(2)[0] = static_cast<float>(90 * radians_per_degree);
  recording.sensors[0].channels[1].axis(2)[1] = static_cast<float>(-45 * radians_per_degree);
  write_repovizz(recording, scratch / "take");
  const std::string text = test::read_file(scratch / "take/00_myo1_gyro__z.csv");
  const RepovizzSignal signal = parse_repovizz_signal(text, "f");
  CHECK(text.starts_with("repovizz,framerate=25.0,minval=-4"));
  CHECK(signal.minval == doctest::Approx(-45));
  CHECK(signal.maxval == doctest::Approx(90));
  CHECK(signal.values[0] == doctest::Approx(90));
  int files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(scratch / "take")) {
    CHECK(parse_repovizz_file_name(entry.path().filename().string()).has_value());
    ++files;
  }
  CHECK(files == 18);
  write_repovizz(random_recording(2, 3, 50), scratch / "take");  // an earlier recording is replaced
  CHECK(read_repovizz(scratch / "take").find_sensor("myo2")->sample_count() == 3);
}

TEST_CASE("what the layout cannot hold is refused before anything is written") {
  test::ScratchFolder scratch;
  const std::string folder = scratch / "take";
  const auto fault_of = [&](auto change) {
    Recording recording = random_recording(3, 4, 25);
    change(recording);
    return writing_fault(recording, folder);
  };
  CHECK(is_line_with(fault_of([](Recording& r) { r.sensors.clear(); }), {folder, "no sensors"}));
  CHECK(is_line_with(
      fault_of([](Recording& r) { r.sensors[0].channels.emplace_back(Quantity::orientation, 4); }),
      {folder, "orientation"}));
  CHECK(is_line_with(fault_of([](Recording& r) {
                       r.sensors[1].clock.times_s = {0, 1, 2, 3};
                     }),
                     {"time stamps"}));
  CHECK(is_line_with(fault_of([](Recording& r) { r.sensors[1].clock.rate_hz = 0.5; }), {"0.5 Hz"}));
  CHECK(is_line_with(fault_of([](Recording& r) { r.sensors[1].channels[0].samples[5] = NAN; }),
                     {"00_myo2_Rotation__y.csv"}));
  CHECK(is_line_with(fault_of([](Recording& r) {
                       for (Channel& channel : r.sensors[0].channels) channel.samples.clear();
                     }),
                     {"no samples"}));
  for (const char* name : {"", "../escape", "a/b", "a_b", "a b", "\n"}) {
    CAPTURE(name);
    CHECK(is_line_with(fault_of([&](Recording& r) { r.sensors[0].name = name; }), {"file name"}));
  }
  CHECK(is_line_with(fault_of([](Recording& r) { r.sensors[1].name = "myo1"; }), {"twice"}));
  CHECK_FALSE(std::filesystem::exists(folder));
  CHECK_THROWS_AS(fault_of([](Recording& r) { r.sensors[0].channels[0].samples.pop_back(); }), ShapeError);
}

TEST_CASE("places that cannot be written") {
  test::ScratchFolder scratch;
  const Recording recording = random_recording(4, 4, 25);
  CHECK(is_line_with(writing_fault(recording, ""), {"empty folder name"}));
  test::write_file(scratch / "file", "x");
  CHECK(is_line_with(writing_fault(recording, scratch / "file"), {scratch / "file", "cannot be made"}));
  CHECK(is_line_with(writing_fault(recording, scratch / "file/take"), {scratch / "file"}));
  CHECK(is_line_with(writing_fault(recording, "/proc/imu2music"), {"/proc/imu2music"}));

  std::filesystem::create_directory(scratch / "other");
  test::write_file(scratch / "other/00_myo3_gyro__x.csv", "");
  CHECK(is_line_with(writing_fault(recording, scratch / "other"), {"00_myo3_gyro__x.csv", "empty folder"}));

  // One file that cannot be replaced: none of the others appears.
  std::filesystem::create_directories(scratch / "half/00_myo2_acceleration__z.csv");
  CHECK_FALSE(writing_fault(recording, scratch / "half").empty());
  int files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(scratch / "half"))
    files += entry.is_regular_file();
  CHECK(files == 0);
}
