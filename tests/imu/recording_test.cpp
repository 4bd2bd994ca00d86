#include "imu2music/imu/recording.hpp"

#include <doctest/doctest.h>

#include "error_text.hpp"

using namespace imu2music;

namespace {

SensorTrack make_sensor(const std::string& name, double rate_hz, std::int64_t n, double start_s = 0) {
  SensorTrack sensor;
  sensor.name = name;
  sensor.clock.start_s = start_s;
  sensor.clock.rate_hz = rate_hz;
  sensor.channels.emplace_back(Quantity::angular_velocity, n);
  sensor.channels.emplace_back(Quantity::acceleration, n);
  return sensor;
}

}  // namespace

TEST_CASE("samples are axis-major and a channel knows its axes") {
  Channel channel(Quantity::acceleration, 4);
  CHECK(channel.samples.size() == 12);
  CHECK(channel.sample_count() == 4);
  channel.axis(1)[2] = 7;
  CHECK(channel.samples[6] == 7);
  const Channel& constant = channel;
  CHECK(constant.axis(1)[2] == 7);
  CHECK(Channel(Quantity::orientation, 5).samples.size() == 20);
}

TEST_CASE("a recording finds its sensors and lasts from the first sample to the last one's end") {
  Recording recording;
  CHECK(recording.duration_s() == 0);
  CHECK_FALSE(recording.common_rate_hz().has_value());
  CHECK(recording.sensor_names() == "none");
  recording.source = "take";
  recording.sensors.push_back(make_sensor("myo1", 25, 150));
  CHECK(recording.duration_s() == 6.0);
  CHECK(recording.common_rate_hz() == 25.0);
  recording.sensors.push_back(make_sensor("phone", 100, 400, 3.0));
  CHECK(recording.duration_s() == 7.0);
  CHECK_FALSE(recording.common_rate_hz().has_value());
  CHECK(recording.sensor_names() == "myo1, phone");

  REQUIRE(recording.find_sensor("phone") != nullptr);
  const SensorTrack& phone = *recording.find_sensor("phone");
  CHECK(phone.clock.time_s(50) == 3.5);
  CHECK(recording.find_sensor("myo2") == nullptr);
  CHECK(phone.find(Quantity::acceleration) == &phone.channels[1]);
  CHECK(phone.find(Quantity::rotation) == nullptr);
  CHECK_NOTHROW(check_recording(recording));
}

TEST_CASE("the summary tells what there is") {
  Recording recording;
  recording.source = "takes/27";
  recording.sensors.push_back(make_sensor("myo1", 25, 563));
  recording.notes.push_back("left out: 'emg'");
  CHECK(recording.summary() ==
        "takes/27: 22.52 s, 1 sensor\n"
        "  myo1: 563 samples at 25 Hz: angular velocity (rad/s), acceleration (m/s²)\n"
        "  left out: 'emg'");
}

TEST_CASE("time stamps in place of a rate") {
  SensorTrack sensor = make_sensor("wand", 0, 3);
  sensor.clock.times_s = {10.0, 10.5, 12.0};
  CHECK_FALSE(sensor.clock.is_uniform());
  CHECK(sensor.clock.time_s(1) == 10.5);
  CHECK(sensor.duration_s() == 2.0);
  Recording recording;
  recording.sensors.push_back(sensor);
  CHECK(recording.duration_s() == 2.0);
  CHECK_NOTHROW(check_recording(recording));
}

TEST_CASE("contradictions are refused") {
  const auto fault_of = [](auto change) {
    Recording recording;
    recording.source = "take";
    recording.sensors.push_back(make_sensor("myo1", 25, 10));
    change(recording.sensors[0]);
    return test::error_text<ShapeError>([&] { check_recording(recording); });
  };
  CHECK(fault_of([](SensorTrack&) {}).empty());
  CHECK(
      test::is_line_with(fault_of([](SensorTrack& s) { s.channels.clear(); }), {"take", "myo1", "channels"}));
  CHECK(test::is_line_with(fault_of([](SensorTrack& s) { s.channels[1].samples.pop_back(); }), {"10", "29"}));
  CHECK(test::is_line_with(fault_of([](SensorTrack& s) { s.clock.rate_hz = 0; }), {"rate"}));
  CHECK(test::is_line_with(fault_of([](SensorTrack& s) { s.clock.rate_hz = NAN; }), {"rate"}));
  CHECK(test::is_line_with(fault_of([](SensorTrack& s) { s.clock.times_s = {1, 2}; }), {"2 times"}));
}
