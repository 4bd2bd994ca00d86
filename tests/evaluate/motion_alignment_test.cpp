#include "imu2music/evaluate/motion_alignment.hpp"

#include <doctest/doctest.h>

#include <array>
#include <cmath>
#include <vector>

using namespace imu2music;

namespace {

// A sensor at `rate` whose angular velocity about z pulses at the times given, with a slow swing underneath.
SensorTrack pulsing(double rate, double seconds, std::span<const double> times,
                    const std::string& name = "wrist") {
  SensorTrack sensor;
  sensor.name = name;
  sensor.clock.rate_hz = rate;
  const auto n = static_cast<std::int64_t>(rate * seconds);
  Channel gyro(Quantity::angular_velocity, n), acceleration(Quantity::acceleration, n);
  for (std::int64_t i = 0; i < n; ++i) {
    const double t = static_cast<double>(i) / rate;
    double w = 0.3 + 0.2 * std::sin(t);
    for (double time : times) w += 3 * std::exp(-0.5 * std::pow((t - time) / 0.03, 2));
    const auto at = static_cast<std::size_t>(i);
    gyro.axis(2)[at] = static_cast<float>(w);
    acceleration.axis(1)[at] = static_cast<float>(9.81);
  }
  sensor.channels = {acceleration, gyro};
  return sensor;
}

}  // namespace

TEST_CASE("robust z: median and median deviation") {
  const std::vector<double> z = robust_z(std::array{1.0, 2.0, 3.0, 4.0, 100.0});
  CHECK(z[2] == 0);
  CHECK(z[3] == doctest::Approx(1 / 1.4826));
  CHECK(z[4] == doctest::Approx(97 / 1.4826));
  CHECK(robust_z(std::array{0.0, 2.0, 4.0, 6.0})[0] == doctest::Approx(-3 / (1.4826 * 2)));
  for (double v : robust_z(std::array{5.0, 5.0, 5.0, 9.0})) CHECK(v == 0);
}

TEST_CASE("peaks stand where the sensor moved, at any rate of the sensor") {
  const std::array times{1.0, 1.72, 3.4, 4.2};
  for (double rate : {50.0, 100.0, 173.0}) {
    Recording recording;
    recording.source = "test";
    recording.sensors = {pulsing(rate, 6, times)};
    const MotionActivity activity = motion_activity(recording);
    CHECK(activity.values.size() == doctest::Approx(300).epsilon(0.01));
    const std::vector<double> peaks = motion_peaks(activity);
    INFO(rate);
    REQUIRE(peaks.size() >= times.size());
    for (double time : times) {
      double nearest = 9;
      for (double peak : peaks) nearest = std::min(nearest, std::abs(peak - time));
      CHECK(nearest <= 0.021);
    }
  }
}

TEST_CASE("acceleration counts by its change, sensors by their mean, and what is lacking is left out") {
  const std::array times{2.0};
  SensorTrack moving = pulsing(50, 6, times), still = pulsing(50, 6, {}, "other");
  Recording one, two, none;
  one.sensors = {moving};
  two.sensors = {moving, still};
  const MotionActivity a = motion_activity(one), b = motion_activity(two);
  SensorTrack gyro_only = moving;
  gyro_only.channels.erase(gyro_only.channels.begin());
  Recording gyro;
  gyro.sensors = {gyro_only};
  // Constant acceleration adds nothing.
  CHECK(motion_activity(gyro).values == a.values);
  Recording other;
  other.sensors = {still};
  const MotionActivity c = motion_activity(other);
  for (std::size_t i = 0; i < b.values.size(); ++i)
    CHECK(b.values[i] == doctest::Approx((a.values[i] + c.values[i]) / 2));
  SensorTrack positions;
  positions.name = "joint";
  positions.clock.rate_hz = 30;
  positions.channels = {Channel(Quantity::position, 90)};
  none.sensors = {positions};
  CHECK(motion_activity(none).values.empty());
  CHECK(motion_peaks(motion_activity(none)).empty());

  // A step of acceleration is one pulse of its change, at the step.
  SensorTrack step;
  step.name = "step";
  step.clock.rate_hz = 50;
  step.channels = {Channel(Quantity::acceleration, 200)};
  Philox random(1);
  for (int axis = 0; axis < 3; ++axis)
    for (std::size_t i = 0; i < 200; ++i)
      step.channels[0].axis(axis)[i] =
          static_cast<float>(0.01 * random.normal() + (axis == 0 && i >= 100 ? 5.0 : 0.0));
  Recording stepping;
  stepping.sensors = {step};
  const MotionActivity d = motion_activity(stepping);
  const auto largest = std::max_element(d.values.begin(), d.values.end()) - d.values.begin();
  CHECK(std::abs(largest - 100) <= 1);
}

TEST_CASE("plateaus have one peak, and a smaller one within 100 ms has none") {
  MotionActivity activity;
  activity.rate_hz = 50;
  activity.start_s = 2;
  activity.values.assign(100, 0.0);
  activity.values[10] = activity.values[11] = 3;
  activity.values[14] = 2;    // 80 ms after
  activity.values[40] = 2;    // far
  activity.values[60] = 0.5;  // too low
  const std::vector<double> peaks = motion_peaks(activity);
  REQUIRE(peaks.size() == 2);
  CHECK(peaks[0] == doctest::Approx(2.2));
  CHECK(peaks[1] == doctest::Approx(2.8));
}

TEST_CASE("onsets at the motion's peaks correlate with it, shifted within 300 ms too, and others do not") {
  Recording recording;
  recording.sensors = {pulsing(100, 6, std::array{0.7, 1.9, 2.6, 4.4, 5.1})};
  const MotionActivity activity = motion_activity(recording);
  const auto own = onset_correlations(activity.values, activity.rate_hz, std::array{0.7, 1.9, 2.6, 4.4, 5.1});
  REQUIRE(own.size() == activity.values.size());
  CHECK(own[0] > 0.8);
  CHECK(own[0] == *std::max_element(own.begin(), own.end()));
  const auto late =
      onset_correlations(activity.values, activity.rate_hz, std::array{0.9, 2.1, 2.8, 4.6, 5.3});
  CHECK(late[0] == doctest::Approx(own[0]).epsilon(0.02));
  const auto much_later =
      onset_correlations(activity.values, activity.rate_hz, std::array{1.3, 2.3, 3.2, 3.6, 5.7});
  CHECK(much_later[0] < 0.6);
  // Shifting the onsets is shifting the list.
  const auto shifted =
      onset_correlations(activity.values, activity.rate_hz, std::array{1.7, 2.9, 3.6, 5.4, 0.1});
  CHECK(shifted[0] == doctest::Approx(own[50]));
}

TEST_CASE("nothing to correlate") {
  const std::vector<double> flat(100, 2.0);
  std::vector<double> wave(100);
  for (std::size_t i = 0; i < 100; ++i) wave[i] = std::sin(0.3 * static_cast<double>(i));
  CHECK(onset_correlations(flat, 50, std::array{1.0}).empty());
  CHECK(onset_correlations(wave, 50, {}).empty());
  CHECK(onset_correlations({}, 50, std::array{1.0}).empty());
  OnsetMotionCorrelation sums(1, 0);
  sums.add(0, 0, {});
  CHECK(sums.without() == 1);
  CHECK(std::isnan(sums.result().z));
  CHECK_THROWS_AS(sums.add(1, 0, {}), ShapeError);
}

TEST_CASE("z is large for onsets on the motion and small for onsets anywhere") {
  OnsetMotionCorrelation right(3, 5), wrong(3, 5);
  for (std::size_t g = 0; g < 3; ++g)
    for (std::uint64_t w = 0; w < 4; ++w) {
      Philox random(g, w);
      std::vector<double> times, elsewhere;
      for (int k = 0; k < 6; ++k) times.push_back(0.3 + k + 0.5 * random.uniform());
      for (int k = 0; k < 6; ++k) elsewhere.push_back(6 * random.uniform());
      Recording recording;
      recording.sensors = {pulsing(50, 6, times)};
      const MotionActivity activity = motion_activity(recording);
      right.add(g, 4 * g + w, onset_correlations(activity.values, 50, times));
      wrong.add(g, 4 * g + w, onset_correlations(activity.values, 50, elsewhere));
    }
  CHECK(right.windows() == 12);
  CHECK(right.result().z > 5);
  CHECK(right.result().p == doctest::Approx(0.001));
  CHECK(std::abs(wrong.result().z) < 3);
  CHECK(right.result(std::array{1.0, 1.0, 1.0}).z == right.result().z);
  CHECK(right.result(std::array{0.0, 3.0, 0.0}).z > 2);
}
