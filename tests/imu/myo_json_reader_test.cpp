#include "imu2music/imu/myo_json_reader.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <string>

#include "error_text.hpp"
#include "recording_texts.hpp"

using namespace imu2music;

namespace {

std::string refusal(const std::string& text) {
  return test::error_text<InputError>([&] { read_myo_json(text, "sign.json"); });
}

std::string with_data(const std::string& data, const std::string& frequency = "200") {
  return "{\"imu\": {\"data\": [" + data + "], \"frequency\": " + frequency + "}}";
}

const std::string sample = "{\"gyroscope\":[1,2,3],\"acceleration\":[1,2,3],\"orientation\":[0,0,0,1]}";

}  // namespace

TEST_CASE("a Myo JSON becomes one sensor with a uniform clock") {
  const Recording recording = read_myo_json(test::myo_json, "sign.json");
  const SensorTrack& myo = recording.sensors.at(0);
  CHECK(myo.name == "myo");
  CHECK(myo.clock.rate_hz == 200);
  CHECK(myo.sample_count() == 2);
  CHECK(myo.find(Quantity::angular_velocity)->axis(0)[0] == doctest::Approx(3.14159265));
  CHECK(myo.find(Quantity::acceleration)->axis(2)[1] == doctest::Approx(2 * 9.80665));
  CHECK(std::isnan(myo.find(Quantity::acceleration)->axis(1)[1]));
  CHECK(myo.find(Quantity::orientation)->axis(3)[0] == 0.9f);
  CHECK_NOTHROW(check_recording(recording));
  CHECK(read_myo_json(with_data(sample), "f").sensors[0].sample_count() == 1);
}

TEST_CASE("JSON that is no such recording is refused in one line") {
  CHECK(test::is_line_with(refusal("{\"imu\": {\"frequency\": 200, \"data\": ["), {"sign.json", "no JSON"}));
  CHECK(test::is_line_with(refusal("[]"), {"no imu"}));
  CHECK(test::is_line_with(refusal("{\"imu\": 3}"), {"no imu"}));
  CHECK(test::is_line_with(refusal(with_data("")), {"no samples"}));
  CHECK(test::is_line_with(refusal("{\"imu\": {\"data\": [" + sample + "]}}"), {"no imu.frequency"}));
  for (const char* rate : {"0", "-200", "1e9", "null", "{}"}) {
    INFO(rate);
    CHECK(test::is_line_with(refusal(with_data(sample, rate)), {"imu.frequency"}));
  }
  CHECK(test::is_line_with(refusal(with_data(sample, "\"200\"")), {"'200'", "number"}));
  CHECK(test::is_line_with(refusal(with_data(sample + ",{\"gyroscope\":[1,2,3],\"acceleration\":[1,2,3]}")),
                           {"sample 2", "0 values of orientation", "4"}));
  CHECK(test::is_line_with(
      refusal(with_data("{\"gyroscope\":[1,2,3,4],\"acceleration\":[1,2,3],\"orientation\":[0,0,0,1]}")),
      {"sample 1", "4 values of gyroscope"}));
  CHECK(test::is_line_with(
      refusal(with_data("{\"gyroscope\":[1,true,3],\"acceleration\":[1,2,3],\"orientation\":[0,0,0,1]}")),
      {"true or false"}));
  CHECK(test::is_line_with(refusal(std::string(100000, '[')), {"64 levels"}));
  CHECK(test::is_line_with(refusal("{\"imu\": {\"frequency\": 200, \"data\": [3, 4]}}"), {"no samples"}));
}
