#include "imu2music/train/recording_file.hpp"

#include <doctest/doctest.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <string>

#include "imu2music/imu/read_recording.hpp"
#include "support.hpp"
#include "train/pairs.hpp"

using namespace imu2music;

namespace {

void check_same(const Recording& a, const Recording& b) {
  CHECK(a.source == b.source);
  CHECK(a.format == b.format);
  CHECK(a.notes == b.notes);
  REQUIRE(a.sensors.size() == b.sensors.size());
  for (std::size_t s = 0; s < a.sensors.size(); ++s) {
    const SensorTrack &x = a.sensors[s], &y = b.sensors[s];
    CHECK(x.name == y.name);
    CHECK(x.clock.start_s == y.clock.start_s);
    CHECK(x.clock.rate_hz == y.clock.rate_hz);
    CHECK(x.clock.times_s == y.clock.times_s);
    REQUIRE(x.clock.resets.size() == y.clock.resets.size());
    for (std::size_t i = 0; i < x.clock.resets.size(); ++i) {
      CHECK(x.clock.resets[i].sample == y.clock.resets[i].sample);
      CHECK(x.clock.resets[i].back_s == y.clock.resets[i].back_s);
    }
    REQUIRE(x.channels.size() == y.channels.size());
    for (std::size_t c = 0; c < x.channels.size(); ++c) {
      CHECK(x.channels[c].quantity == y.channels[c].quantity);
      REQUIRE(x.channels[c].samples.size() == y.channels[c].samples.size());
      bool same = true;  // bit for bit, so that missing values count too
      for (std::size_t i = 0; i < x.channels[c].samples.size(); ++i)
        same = same && std::bit_cast<std::uint32_t>(x.channels[c].samples[i]) ==
                           std::bit_cast<std::uint32_t>(y.channels[c].samples[i]);
      CHECK(same);
    }
  }
}

void check_refused(const std::string& path, const std::string& part) {
  try {
    read_recording_file(path);
    FAIL("was read");
  } catch (const InputError& error) {
    INFO(error.what());
    CHECK(std::string(error.what()).rfind(path, 0) == 0);
    CHECK(std::string(error.what()).find(part) != std::string::npos);
  }
}

}  // namespace

TEST_CASE("a recording comes back bit for bit") {
  test::ScratchFolder scratch;
  Recording recording = test::noise_recording(5);
  recording.sensors[0].clock.start_s = 0.1;
  recording.sensors[0].channels[1].samples[7] = std::nanf("");
  SensorTrack& stamped = recording.sensors[1];
  stamped.name = "right/wrist, \"2\"";
  for (std::int64_t i = 0; i < stamped.sample_count(); ++i)
    stamped.clock.times_s.push_back(static_cast<double>(i) / 3);
  stamped.clock.resets = {{17, 0.25}, {90, 1.0 / 3}};
  write_recording_file(recording, scratch / "r.safetensors");
  check_same(recording, read_recording_file(scratch / "r.safetensors"));
  write_recording_file(recording, scratch / "again.safetensors");
  CHECK(test::read_file(scratch / "r.safetensors") == test::read_file(scratch / "again.safetensors"));

  Recording empty;
  empty.source = "nobody";
  write_recording_file(empty, scratch / "empty.safetensors");
  check_same(empty, read_recording_file(scratch / "empty.safetensors"));
}

TEST_CASE("units stand beside the values") {
  test::ScratchFolder scratch;
  write_recording_file(test::noise_recording(1), scratch / "r.safetensors");
  const TensorFile file = read_safetensors(scratch / "r.safetensors");
  CHECK(file.metadata.at("sensor1/channel0") == "acceleration");
  CHECK(file.metadata.at("sensor1/channel0/unit") == "m/s²");
  CHECK(file.metadata.at("sensor0/channel1/unit") == "rad/s");
  REQUIRE(file.find("sensor1/channel2") != nullptr);
  CHECK(file.find("sensor1/channel2")->shape == Shape{4, 200});
}

TEST_CASE("files that are none, or contradict themselves, are refused") {
  test::ScratchFolder scratch;
  const std::string path = scratch / "r.safetensors";
  write_recording_file(test::noise_recording(1), path);
  const TensorFile file = read_safetensors(path);
  const auto changed = [&](const std::string& key, const std::string& value) {
    std::map<std::string, std::string> metadata = file.metadata;
    if (value.empty())
      metadata.erase(key);
    else
      metadata[key] = value;
    write_safetensors(scratch / "changed.safetensors", file.entries(), metadata);
    return scratch / "changed.safetensors";
  };
  check_refused(changed("imu2music.recording", ""), "imu2music.recording");
  check_refused(changed("imu2music.recording", "2"), "form '2'");
  check_refused(changed("sensors", "3"), "sensor2/name");
  check_refused(changed("sensors", "many"), "many");
  check_refused(changed("sensors", "1e300"), "1e300");
  check_refused(changed("sensor0/rate_hz", "0"), "contradicts itself");
  check_refused(changed("sensor0/channel0", "smell"), "smell");
  check_refused(changed("sensor0/channel0", "orientation"), "sensor0/channel0");
  check_refused(changed("sensor0/resets", "7"), "resets");
  check_refused(changed("sensor0/resets", "1e300:1"), "resets");
  check_refused(changed("sensor0/resets", "nan:1"), "resets");
  check_refused(changed("sensor0/resets", "1:nan"), "resets");
  CHECK(read_recording_file(changed("sensor0/resets", "199:1")).sensors[0].clock.resets.size() == 1);
  check_refused(changed("sensor0/resets", "200:1"), "at sample 200 of 200");
  CHECK(read_recording_file(changed("sensor0/name", "a\nb\x1b[2J")).sensors[0].name == "a b [2J");
  Recording broken = test::noise_recording(1);
  broken.sensors[0].channels[0].samples.pop_back();
  CHECK_THROWS_AS(write_recording_file(broken, scratch / "b.safetensors"), ShapeError);
}

TEST_CASE("real recordings come back too") {
  test::ScratchFolder scratch;
  for (const char* relative : {"data/violin-myo/takes/2_staccato_s3.csv", "data/conducting-wand/90bpm3.csv",
                               "data/kinect-bowing/3DBowingTemplate_1_up.csv"}) {
    const std::string path = test::shared_file(relative);
    if (path.empty()) continue;
    INFO(path);
    const Recording recording = read_recording(path);
    write_recording_file(recording, scratch / "r.safetensors");
    check_same(recording, read_recording_file(scratch / "r.safetensors"));
  }
}
