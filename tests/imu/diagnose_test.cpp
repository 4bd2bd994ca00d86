#include "imu2music/imu/diagnose.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <numbers>
#include <vector>

#include "imu2music/core/random.hpp"

using namespace imu2music;

namespace {

constexpr double pi = std::numbers::pi;

// n samples at 100 Hz of a sensor that swings: gravity along z, 3 m/s² at 1 Hz along x, 2 rad/s about y, with
// noise.
Recording swinging(std::int64_t n, double rate = 100) {
  Recording recording;
  recording.source = "take";
  SensorTrack sensor;
  sensor.name = "s";
  sensor.clock.rate_hz = rate;
  Channel acceleration(Quantity::acceleration, n), angular_velocity(Quantity::angular_velocity, n);
  Philox random(1);
  for (std::size_t i = 0; i < static_cast<std::size_t>(n); ++i) {
    const double t = static_cast<double>(i) / rate;
    const auto noise = [&] { return 0.01 * random.normal(); };
    acceleration.axis(0)[i] = static_cast<float>(3 * std::sin(2 * pi * t) + noise());
    acceleration.axis(1)[i] = static_cast<float>(noise());
    acceleration.axis(2)[i] = static_cast<float>(9.81 + noise());
    angular_velocity.axis(0)[i] = static_cast<float>(noise());
    angular_velocity.axis(1)[i] = static_cast<float>(2 * std::cos(2 * pi * t) + noise());
    angular_velocity.axis(2)[i] = static_cast<float>(noise());
  }
  sensor.channels = {acceleration, angular_velocity};
  recording.sensors = {sensor};
  return recording;
}

Channel& channel_of(Recording& recording, std::size_t i) { return recording.sensors[0].channels[i]; }

bool is_clean(const Diagnosis& d) {
  return d.gaps.empty() && d.clock_resets.empty() && d.holds.empty() && d.saturations.empty() &&
         d.missing.empty() && d.unit_doubts.empty();
}

}  // namespace

TEST_CASE("nothing is found in a recording with nothing wrong") {
  const Diagnosis d = diagnose(swinging(2000));
  CHECK(is_clean(d));
  CHECK(describe(d).empty());
  REQUIRE(d.sensors.size() == 1);
  CHECK(d.sensors[0].rate_hz == 100);
  CHECK(d.sensors[0].new_share == 1);
  CHECK(d.duration_s == 20);
  CHECK_FALSE(d.sensors[0].gravity_m_s2);
  CHECK(is_clean(diagnose(Recording{})));
}

TEST_CASE("gaps and clock resets have place and length") {
  Recording recording = swinging(300);
  Clock& clock = recording.sensors[0].clock;
  for (int i = 0; i < 300; ++i)
    clock.times_s.push_back(i * 0.01 + (i >= 100 ? 5 : 0) + (i >= 200 ? 0.012 : 0));
  clock.resets.push_back({250, 7.5});
  const Diagnosis d = diagnose(recording);
  REQUIRE(d.gaps.size() == 1);  // 0.022 s is no gap
  CHECK(d.gaps[0].sensor == "s");
  CHECK(d.gaps[0].time_s == doctest::Approx(0.99));
  CHECK(d.gaps[0].length_s == doctest::Approx(5.01));
  REQUIRE(d.clock_resets.size() == 1);
  CHECK(d.clock_resets[0].time_s == doctest::Approx(7.512));
  CHECK(d.clock_resets[0].length_s == 7.5);
  CHECK(d.sensors[0].rate_hz == doctest::Approx(99.6).epsilon(0.01));
  CHECK(describe(d) ==
        std::vector<std::string>{"s: 1 gap, 5.01 s at 0.99 s",
                                 "s: 1 place where the clock runs backwards, 7.5 s at 7.512 s"});
}

TEST_CASE("sample-and-hold shows in the share of new rows, and long holds by themselves") {
  Recording recording = swinging(1000);
  const auto hold = [&](std::size_t from, std::size_t count) {
    for (Channel& channel : recording.sensors[0].channels)
      for (int axis = 0; axis < 3; ++axis)
        for (std::size_t i = from + 1; i <= from + count; ++i)
          channel.axis(axis)[i] = channel.axis(axis)[from];
  };
  for (std::size_t i = 0; i < 900; i += 10) hold(i, 1);
  hold(950, 30);
  const Diagnosis d = diagnose(recording);
  CHECK(d.sensors[0].new_share == doctest::Approx(0.88));
  CHECK(d.sensors[0].channels[1].new_share == doctest::Approx(0.88));
  REQUIRE(d.holds.size() == 1);
  CHECK(d.holds[0].time_s == doctest::Approx(9.5));
  CHECK(d.holds[0].length_s == doctest::Approx(0.3));
  CHECK(d.saturations.empty());
  // Slower than 30 Hz, two rows that repeat one last 0.1 s; it takes three.
  recording = swinging(100, 20);
  hold(30, 2);
  hold(60, 3);
  const Diagnosis slow = diagnose(recording);
  REQUIRE(slow.holds.size() == 1);
  CHECK(slow.holds[0].time_s == doctest::Approx(3));
  CHECK(slow.holds[0].length_s == doctest::Approx(0.15));
}

TEST_CASE("channels that take turns are new in half their rows while all rows are") {
  Recording recording = swinging(1000);
  for (std::size_t c = 0; c < 2; ++c)
    for (int axis = 0; axis < 3; ++axis)
      for (std::size_t i = 1 + c; i < 1000; i += 2)
        channel_of(recording, c).axis(axis)[i] = channel_of(recording, c).axis(axis)[i - 1];
  const Diagnosis d = diagnose(recording);
  CHECK(d.sensors[0].new_share == 1);
  CHECK(d.sensors[0].channels[0].new_share == doctest::Approx(0.5).epsilon(0.01));
  CHECK(d.sensors[0].channels[1].new_share == doctest::Approx(0.5).epsilon(0.01));
}

TEST_CASE("an axis pinned at its extreme is saturated") {
  SUBCASE("at a full scale") {
    Recording recording = swinging(1000);
    for (const std::size_t i : {100u, 101u, 400u})
      channel_of(recording, 0).axis(0)[i] = static_cast<float>(-4 * standard_gravity);
    const Diagnosis d = diagnose(recording);
    REQUIRE(d.saturations.size() == 2);
    CHECK(d.saturations[0].time_s == doctest::Approx(1.0));
    CHECK(d.saturations[0].length_s == doctest::Approx(0.02));
    CHECK(d.saturations[0].quantity == Quantity::acceleration);
    CHECK(d.saturations[0].axis == 0);
    CHECK(d.saturations[0].value == doctest::Approx(-39.2266));
  }
  SUBCASE("anywhere, with sharp edges") {
    Recording recording = swinging(1000);
    for (float& w : channel_of(recording, 1).axis(1)) w = std::min(w, 1.5f);
    const Diagnosis d = diagnose(recording);
    CHECK(d.saturations.size() >= 9);
    for (const Finding& finding : d.saturations) {
      CHECK(finding.axis == 1);
      CHECK(finding.value == doctest::Approx(1.5));
    }
  }
  SUBCASE("but not the round top of a slow swing in coarse steps") {
    Recording recording = swinging(1000);
    for (float& a : channel_of(recording, 0).axis(0)) a = std::round(a * 20) / 20;
    CHECK(diagnose(recording).saturations.empty());
  }
  SUBCASE("nor one row that is repeated") {
    Recording recording = swinging(1000);
    for (Channel& channel : recording.sensors[0].channels)
      for (int axis = 0; axis < 3; ++axis)
        for (std::size_t i = 500; i < 505; ++i) channel.axis(axis)[i] = axis == 0 ? 30.0f : 1.0f;
    CHECK(diagnose(recording).saturations.empty());
  }
}

TEST_CASE("missing values are found by quantity") {
  Recording recording = swinging(1000);
  for (std::size_t i = 200; i < 210; ++i)
    channel_of(recording, 1).axis(2)[i] = std::numeric_limits<float>::quiet_NaN();
  channel_of(recording, 0).axis(0)[999] = std::numeric_limits<float>::infinity();
  const Diagnosis d = diagnose(recording);
  REQUIRE(d.missing.size() == 2);
  CHECK(d.missing[0].quantity == Quantity::acceleration);
  CHECK(d.missing[0].time_s == doctest::Approx(9.99));
  CHECK(d.missing[0].length_s == doctest::Approx(0.01));
  CHECK(d.missing[1].time_s == doctest::Approx(2));
  CHECK(d.missing[1].length_s == doctest::Approx(0.1));
}

TEST_CASE("gravity is read at rest, and units that cannot be are doubted") {
  Recording recording = swinging(2000);
  for (Channel& channel : recording.sensors[0].channels)
    for (int axis = 0; axis < 3; ++axis)
      for (std::size_t i = 500; i < 1000; ++i)
        channel.axis(axis)[i] = static_cast<float>(axis == 2 && &channel == &recording.sensors[0].channels[0]
                                                       ? 9.81
                                                       : 0.001 * static_cast<double>(i % 3));
  const Diagnosis good = diagnose(recording);
  REQUIRE(good.sensors[0].gravity_m_s2);
  CHECK(*good.sensors[0].gravity_m_s2 == doctest::Approx(9.81).epsilon(1e-3));
  CHECK(good.unit_doubts.empty());

  Recording counts = recording;  // of a sensor that has 16384 of them in g, moved so that it never rests
  for (float& a : channel_of(counts, 0).samples) a *= 16384;
  REQUIRE(diagnose(counts).unit_doubts.size() == 1);
  CHECK(diagnose(counts).unit_doubts[0].reason.find("may be counts") != std::string::npos);

  for (float& a : channel_of(recording, 0).samples) a /= static_cast<float>(standard_gravity);
  for (float& w : channel_of(recording, 1).samples) w /= static_cast<float>(radians_per_degree);
  const Diagnosis bad = diagnose(recording);
  REQUIRE(bad.unit_doubts.size() == 2);
  CHECK(bad.unit_doubts[0].quantity == Quantity::acceleration);
  CHECK(bad.unit_doubts[0].reason.find("look like g") != std::string::npos);
  CHECK(bad.unit_doubts[1].quantity == Quantity::angular_velocity);
  CHECK(bad.unit_doubts[1].reason.find("degrees/s") != std::string::npos);
}

TEST_CASE("joints of a picture share one sentence about their unit") {
  Recording recording;
  recording.source = "take";
  for (const char* name : {"joint1", "joint2", "joint3"}) {
    SensorTrack joint;
    joint.name = name;
    joint.clock.rate_hz = 30;
    joint.channels = {Channel(Quantity::image_position, 10)};
    recording.sensors.push_back(joint);
  }
  const Diagnosis d = diagnose(recording);
  CHECK(d.unit_doubts.size() == 3);
  const std::vector<std::string> sentences = describe(d);
  REQUIRE_FALSE(sentences.empty());
  CHECK(sentences.back() == "joint1 and 2 more: its image position has no known unit");
}
