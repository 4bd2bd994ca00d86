#include "imu2music/imu/resample.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <numbers>

#include "error_text.hpp"
#include "imu2music/core/random.hpp"

using namespace imu2music;

namespace {

constexpr double pi = std::numbers::pi;

std::vector<float> sine(std::size_t n, double rate_hz, double frequency_hz, double phase = 0.3) {
  std::vector<float> samples(n);
  for (std::size_t i = 0; i < n; ++i)
    samples[i] =
        static_cast<float>(std::sin(2 * pi * frequency_hz * static_cast<double>(i) / rate_hz + phase));
  return samples;
}

Recording one_channel(Quantity quantity, std::int64_t n, double rate_hz) {
  Recording recording;
  recording.source = "take";
  SensorTrack sensor;
  sensor.name = "myo1";
  sensor.clock.rate_hz = rate_hz;
  sensor.channels.emplace_back(quantity, n);
  recording.sensors.push_back(sensor);
  return recording;
}

}  // namespace

TEST_CASE("a sine in the pass band survives, at its time") {
  struct Case {
    double in, out, frequency;
  };
  for (const Case c :
       {Case{100, 25, 3.0}, Case{100, 25, 9.9}, Case{50, 25, 5.0}, Case{25, 50, 9.9}, Case{52.3, 25, 7.0},
        Case{25, 100, 2.0}, Case{200, 52.3, 20.0}, Case{1000, 25, 4.0}, Case{125, 25.000001, 9.0}}) {
    CAPTURE(c.in);
    CAPTURE(c.out);
    CAPTURE(c.frequency);
    const auto n = static_cast<std::size_t>(c.in * 20);
    const std::vector<float> out = resample(sine(n, c.in, c.frequency), c.in, c.out);
    const std::vector<float> wanted = sine(out.size(), c.out, c.frequency);
    const auto margin = static_cast<std::size_t>(30 * std::max(1.0, c.out / c.in));  // away from the ends
    double worst = 0;
    for (std::size_t j = margin; j + margin < out.size(); ++j)
      worst = std::max(worst, std::abs(static_cast<double>(out[j] - wanted[j])));
    CHECK(worst < 1e-3);
  }
}

TEST_CASE("what the new rate cannot carry is attenuated by 50 dB and more") {
  for (const double frequency : {12.6, 13.0, 20.0, 25.0, 37.0, 49.0}) {
    CAPTURE(frequency);
    const std::vector<float> out = resample(sine(2000, 100, frequency), 100, 25);
    double worst = 0;
    for (std::size_t j = 30; j + 30 < out.size(); ++j)
      worst = std::max(worst, std::abs(static_cast<double>(out[j])));
    CHECK(20 * std::log10(worst) < -50);
  }
}

TEST_CASE("constants are exact, ramps stay ramps to the ends") {
  for (const double rate_out : {25.0, 33.3, 52.3, 100.0, 200.0}) {
    CAPTURE(rate_out);
    for (const float value : resample(std::vector<float>(200, 9.80665f), 100, rate_out))
      CHECK(value == 9.80665f);
    std::vector<float> ramp(200);
    for (std::size_t i = 0; i < ramp.size(); ++i) ramp[i] = static_cast<float>(i) / 100;
    const std::vector<float> out = resample(ramp, 100, rate_out);
    for (std::size_t j = 0; j < out.size(); ++j)
      CHECK(out[j] == doctest::Approx(static_cast<double>(j) / rate_out).epsilon(1e-3));
  }
}

TEST_CASE("equal rates give the input back bit for bit") {
  const std::vector<float> in = sine(77, 52.3, 3);
  CHECK(resample(in, 52.3, 52.3) == in);
}

TEST_CASE("n samples become all that fit their duration") {
  CHECK(resampled_count(600, 100, 25) == 150);
  CHECK(resampled_count(601, 100, 25) == 151);
  CHECK(resampled_count(300, 50, 25) == 150);
  CHECK(resampled_count(60, 10, 25) == 150);
  CHECK(resampled_count(563, 25, 50) == 1126);
  CHECK(resampled_count(563, 25, 25) == 563);
  CHECK(resampled_count(3 * 523, 52.3, 25) == 750);
  CHECK(resampled_count(1, 1000, 25) == 1);
  CHECK(resampled_count(0, 1000, 25) == 0);
  CHECK(resample(std::vector<float>{}, 100, 25).empty());
  CHECK(resample(std::vector<float>{3.0f}, 100, 25) == std::vector<float>{3.0f});
  CHECK(resample(std::vector<float>{1.0f, 2.0f, 3.0f}, 100, 250).size() == 8);
  for (const double rate_out : {7.0, 24.99, 25.0, 61.8, 311.0})
    CHECK(resample(sine(250, 50, 2), 50, rate_out).size() ==
          static_cast<std::size_t>(std::ceil(5 * rate_out)));
}

TEST_CASE("a phase that comes again and one that does not agree") {
  const std::vector<float> in = sine(1000, 50, 4);
  const std::vector<float> repeating = resample(in, 50, 20);
  const std::vector<float> drifting = resample(in, 50, 20 * (1 + 1e-9));
  for (std::size_t j = 0; j < repeating.size(); ++j)
    CHECK(repeating[j] == doctest::Approx(static_cast<double>(drifting[j])).epsilon(1e-5));
}

TEST_CASE("impossible rates are refused") {
  const std::vector<float> in(10, 1.0f);
  for (const double rate :
       {0.0, -25.0, static_cast<double>(NAN), static_cast<double>(INFINITY), 1e300, 1e-300}) {
    CAPTURE(rate);
    CHECK_THROWS_AS(resample(in, 25, rate), Error);
  }
  CHECK_THROWS_AS(resample(in, 0, 25), Error);
  CHECK_THROWS_AS(resample(in, 1e7, 25), Error);
  std::vector<float> wrong(7);
  CHECK_THROWS_AS(Resampler(50, 25).apply(std::span<const float>(in), std::span<float>(wrong)), ShapeError);
}

TEST_CASE("what overshoots the largest float stays finite") {
  std::vector<float> step(40, -3e38f);
  std::fill(step.begin() + 20, step.end(), 3e38f);
  for (const double rate : {30.0, 70.0})
    for (const float value : resample(step, 50, rate)) CHECK(std::isfinite(value));
}

TEST_CASE("a recording at another rate") {
  Recording recording = one_channel(Quantity::acceleration, 1000, 100);
  recording.sensors[0].clock.start_s = 1.5;
  const std::vector<float> wave = sine(1000, 100, 2);
  std::copy(wave.begin(), wave.end(), recording.sensors[0].channels[0].axis(1).begin());
  const Recording out = at_rate(recording, 25);
  CHECK(out.common_rate_hz() == 25.0);
  CHECK(out.sensors[0].clock.start_s == 1.5);
  CHECK(out.duration_s() == recording.duration_s());
  CHECK(out.sensors[0].sample_count() == 250);
  CHECK(out.sensors[0].channels[0].axis(0)[100] == 0.0f);
  CHECK(out.sensors[0].channels[0].axis(1)[100] ==
        doctest::Approx(static_cast<double>(wave[400])).epsilon(1e-3));
  CHECK(at_rate(recording, 100).sensors[0].channels[0].samples == recording.sensors[0].channels[0].samples);
}

TEST_CASE(
    "a quantity that has a value in some rows only is bridged between them, and held through its own gaps") {
  Recording recording = one_channel(Quantity::acceleration, 1000, 100);
  recording.sensors[0].channels.emplace_back(Quantity::angular_velocity, 1000);
  Channel& slow = recording.sensors[0].channels[1];
  for (std::size_t i = 0; i < 1000; ++i)
    for (int axis = 0; axis < 3; ++axis)
      slow.axis(axis)[i] = i % 8 == 0 && (i < 400 || i >= 600) ? static_cast<float>(i)
                                                               : std::numeric_limits<float>::quiet_NaN();
  const Recording out = at_rate(recording, 100);
  CHECK(out.notes ==
        std::vector<std::string>{"sensor myo1: its angular velocity was held through 1 gap, 2.08 s in all"});
  CHECK(out.sensors[0].channels[1].axis(0)[103] == doctest::Approx(103));
  CHECK(out.sensors[0].channels[1].axis(0)[500] == doctest::Approx(392));
}

TEST_CASE("a quaternion that changes its sign turns on smoothly and stays of unit length") {
  Recording recording = one_channel(Quantity::orientation, 400, 100);
  Channel& channel = recording.sensors[0].channels[0];
  const double rate = 1.2;  // rad/s about z
  Philox random(3);
  for (std::size_t i = 0; i < 400; ++i) {
    const double half = rate * static_cast<double>(i) / 100 / 2;
    const float sign = random.below(2) == 0 ? 1.0f : -1.0f;
    channel.axis(2)[i] = sign * static_cast<float>(std::sin(half));
    channel.axis(3)[i] = sign * static_cast<float>(std::cos(half));
  }
  const Recording out = at_rate(recording, 25);
  const Channel& q = out.sensors[0].channels[0];
  for (std::size_t j = 0; j < 100; ++j) {
    const double half = rate * static_cast<double>(j) / 25 / 2;
    const double z = static_cast<double>(q.axis(2)[j]);
    const double w = static_cast<double>(q.axis(3)[j]);
    CHECK(z * z + w * w == doctest::Approx(1.0).epsilon(1e-6));
    CHECK(std::abs(z * std::sin(half) + w * std::cos(half)) == doctest::Approx(1.0).epsilon(1e-4));
  }
}

TEST_CASE("angles are averaged across their wrap, not through zero") {
  Recording recording = one_channel(Quantity::rotation, 400, 100);
  Channel& channel = recording.sensors[0].channels[0];
  for (std::size_t i = 0; i < 400; ++i) {
    const double angle = 3.0 + 1.0 * static_cast<double>(i) / 100;  // passes π at 0.14 s
    channel.axis(0)[i] = static_cast<float>(std::remainder(angle, 2 * pi));
    channel.axis(1)[i] = static_cast<float>(4.0);  // beyond π, but never wrapped: left as it is
  }
  const Recording out = at_rate(recording, 25);
  for (std::size_t j = 0; j < 100; ++j) {
    const double angle = 3.0 + static_cast<double>(j) / 25;
    const double got = static_cast<double>(out.sensors[0].channels[0].axis(0)[j]);
    CHECK(std::abs(std::remainder(got - angle, 2 * pi)) < 1e-3);
    CHECK(std::abs(got) <= pi + 1e-6);
    CHECK(out.sensors[0].channels[0].axis(1)[j] == 4.0f);
  }
}
