#include "imu2music/imu/body_imu.hpp"

#include <doctest/doctest.h>

#include <array>
#include <cmath>
#include <functional>
#include <string>
#include <vector>

#include "imu2music/core/random.hpp"
#include "imu2music/imu/read_recording.hpp"
#include "support.hpp"

using namespace imu2music;

namespace {

using PathOf = std::function<Vec3(double)>;

SensorTrack joint(const std::string& name, const PathOf& path, double rate_hz, double seconds) {
  SensorTrack track;
  track.name = name;
  track.clock.rate_hz = rate_hz;
  const auto n = static_cast<std::int64_t>(seconds * rate_hz) + 1;
  Channel channel(Quantity::position, n);
  for (std::int64_t i = 0; i < n; ++i) {
    const Vec3 p = path(static_cast<double>(i) / rate_hz);
    const auto at = static_cast<std::size_t>(i);
    channel.axis(0)[at] = static_cast<float>(p.x);
    channel.axis(1)[at] = static_cast<float>(p.y);
    channel.axis(2)[at] = static_cast<float>(p.z);
  }
  track.channels.push_back(std::move(channel));
  return track;
}

Recording arm(const PathOf& shoulder, const PathOf& elbow, const PathOf& wrist, double rate_hz = 100,
              double seconds = 2) {
  Recording recording;
  recording.source = "body";
  recording.sensors = {joint("ShoulderRight", shoulder, rate_hz, seconds),
                       joint("ElbowRight", elbow, rate_hz, seconds),
                       joint("WristRight", wrist, rate_hz, seconds)};
  return recording;
}

Vec3 sample(const Channel& channel, std::int64_t i) {
  const auto at = static_cast<std::size_t>(i);
  return {static_cast<double>(channel.axis(0)[at]), static_cast<double>(channel.axis(1)[at]),
          static_cast<double>(channel.axis(2)[at])};
}

void check_vector(Vec3 got, Vec3 wanted, double tolerance) {
  CHECK(std::abs(got.x - wanted.x) < tolerance);
  CHECK(std::abs(got.y - wanted.y) < tolerance);
  CHECK(std::abs(got.z - wanted.z) < tolerance);
}

const BodyImuOptions z_up = {.up = {0, 0, 1}};

}  // namespace

TEST_CASE("a forearm that circles about its elbow: rate about the axis, centripetal force inwards") {
  const double omega = 3, length = 0.28;
  BodyImuOptions options = z_up;
  options.along = 0.5;
  const Recording imu =
      virtual_forearms(arm(
                           [](double) {
                             return Vec3{0, 0, 0.3};
                           },
                           [](double) { return Vec3{}; },
                           [&](double t) {
                             return Vec3{length * std::cos(omega * t), length * std::sin(omega * t), 0};
                           }),
                       options);
  REQUIRE(imu.sensors.size() == 1);
  const SensorTrack& sensor = imu.sensors[0];
  CHECK(sensor.name == "forearm_right");
  CHECK(sensor.clock.rate_hz == 100);
  CHECK(sensor.start_s() == doctest::Approx(0.25));
  CHECK(sensor.duration_s() == doctest::Approx(1.51));
  REQUIRE(sensor.find(Quantity::angular_velocity) != nullptr);
  for (std::int64_t i = 0; i < sensor.sample_count(); i += 10) {
    // x is the radius, y is up.
    check_vector(sample(*sensor.find(Quantity::angular_velocity), i), {0, omega, 0}, 0.01);
    check_vector(sample(*sensor.find(Quantity::acceleration), i),
                 {-omega * omega * length * 0.5, standard_gravity, 0}, 0.03);
  }
}

TEST_CASE("a path that is a cubic is followed exactly") {
  // Shoulder, elbow and wrist move alike: no turning, and p̈ = (6 t, 2, −4).
  const auto moved = [](Vec3 from) {
    return [from](double t) { return from + Vec3{t * t * t, t * t - t, 1 - 2 * t * t}; };
  };
  const Recording imu =
      virtual_forearms(arm(moved({0, 0, 0.3}), moved({0, 0, 0}), moved({0.3, 0, 0}), 60), z_up);
  const SensorTrack& sensor = imu.sensors[0];
  for (std::int64_t i = 0; i < sensor.sample_count(); i += 7) {
    const double t = sensor.clock.time_s(i);
    // x forward, y = up, z = x × up = −(world y).
    check_vector(sample(*sensor.find(Quantity::acceleration), i), {6 * t, standard_gravity - 4, -2}, 0.02);
    check_vector(sample(*sensor.find(Quantity::angular_velocity), i), {0, 0, 0}, 2e-3);
  }
}

TEST_CASE("angular velocity is 2 vec(q* q̇), and a still arm reads gravity along what is up") {
  const auto swing = [](double t) {
    return Vec3{0.25 * std::cos(0.8 * std::sin(2 * t)), 0.25 * std::sin(0.8 * std::sin(2 * t)),
                0.1 * std::sin(3 * t)};
  };
  const Recording imu = virtual_forearms(arm(
                                             [](double t) {
                                               return Vec3{-0.1, 0.05 * std::sin(t), 0.3};
                                             },
                                             [](double) { return Vec3{}; }, swing),
                                         z_up);
  const SensorTrack& sensor = imu.sensors[0];
  const Channel &q = *sensor.find(Quantity::orientation), &w = *sensor.find(Quantity::angular_velocity);
  double largest = 0;
  for (std::int64_t i = 1; i + 1 < sensor.sample_count(); ++i) {
    std::array<double, 4> now{}, change{};
    for (int axis = 0; axis < 4; ++axis) {
      const auto k = static_cast<std::size_t>(axis);
      const auto at = static_cast<std::size_t>(i);
      now[k] = static_cast<double>(q.axis(axis)[at]);
      change[k] =
          (static_cast<double>(q.axis(axis)[at + 1]) - static_cast<double>(q.axis(axis)[at - 1])) * 50;
    }
    // conj(q) ⊗ q̇.
    const Vec3 rate = {
        2 * (now[3] * change[0] - now[0] * change[3] - now[1] * change[2] + now[2] * change[1]),
        2 * (now[3] * change[1] - now[1] * change[3] - now[2] * change[0] + now[0] * change[2]),
        2 * (now[3] * change[2] - now[2] * change[3] - now[0] * change[1] + now[1] * change[0])};
    check_vector(sample(w, i), rate, 0.02);
    largest = std::max(largest, norm(rate));
  }
  CHECK(largest > 1.2);

  // The Kinect's axes: y up.
  const Recording still = virtual_forearms(arm(
      [](double) {
        return Vec3{0.2, 0.4, 2};
      },
      [](double) {
        return Vec3{0.3, 0.1, 2};
      },
      [](double) {
        return Vec3{0.1, 0.05, 1.8};
      },
      30));
  const SensorTrack& arm_at_rest = still.sensors[0];
  const Vec3 force = sample(*arm_at_rest.find(Quantity::acceleration), 3);
  CHECK(norm(force) == doctest::Approx(standard_gravity).epsilon(1e-4));
  const Channel& attitude = *arm_at_rest.find(Quantity::orientation);
  const double x = static_cast<double>(attitude.axis(0)[3]), y = static_cast<double>(attitude.axis(1)[3]),
               z = static_cast<double>(attitude.axis(2)[3]), s = static_cast<double>(attitude.axis(3)[3]);
  const Vec3 u = {x, y, z};
  const Vec3 world = (s * s - dot(u, u)) * force + (2 * dot(u, force)) * u + (2 * s) * cross(u, force);
  check_vector(world, {0, 0, standard_gravity}, 1e-3);
}

TEST_CASE("smoothing keeps the tracker's noise within bounds") {
  Philox random(4);
  const auto shaken = [&](Vec3 from) {
    return [&random, from](double) {
      return from + 0.002 * Vec3{random.normal(), random.normal(), random.normal()};
    };
  };
  const Recording imu =
      virtual_forearms(arm(shaken({0, 0.3, 0}), shaken({0, 0, 0}), shaken({0.3, 0, 0}), 30, 10));
  double squares = 0;
  const Channel& force = *imu.sensors[0].find(Quantity::acceleration);
  for (std::int64_t i = 0; i < force.sample_count(); ++i) {
    const double off = norm(sample(force, i)) - standard_gravity;
    squares += off * off;
  }
  // 2 mm differentiated twice without smoothing would read some 4 m/s².
  CHECK(std::sqrt(squares / static_cast<double>(force.sample_count())) < 0.5);
}

TEST_CASE("frames in which a joint was lost count nothing") {
  const auto swing = [](double t) { return Vec3{0.25 * std::cos(2 * t), 0.25 * std::sin(2 * t), 0}; };
  const Recording clean = arm(
      [](double) {
        return Vec3{0, 0, 0.3};
      },
      [](double) { return Vec3{}; }, swing, 30, 4);
  Recording lost = clean;
  for (const std::size_t i : {20u, 21u, 57u, 90u}) lost.sensors[2].channels[0].axis(0)[i] += 0.3f;
  const Recording a = virtual_forearms(clean, z_up), b = virtual_forearms(lost, z_up);
  for (std::int64_t i = 0; i < a.sensors[0].sample_count(); i += 3)
    check_vector(sample(a.sensors[0].channels[0], i), sample(b.sensors[0].channels[0], i), 0.25);
}

TEST_CASE("a straight arm has a frame too") {
  const Recording imu = virtual_forearms(arm(
                                             [](double) {
                                               return Vec3{-0.3, 0, 0};
                                             },
                                             [](double) { return Vec3{}; },
                                             [](double t) {
                                               return Vec3{0.3, 0.001 * t, 0};
                                             }),
                                         z_up);
  for (const Channel& channel : imu.sensors[0].channels)
    for (const float value : channel.samples) CHECK(std::isfinite(value));
}

namespace {

// A forearm of 120 pixels that swings about its elbow before a camera, 100 frames a second, its upper arm of
// 80 pixels pointing up; φ(t) = 0.5 sin 2t from the picture's right upwards. One keypoint has confidence 0
// now and then, and is somewhere else.
constexpr double forearm_pixels = 120, upper_arm_pixels = 80;
double swing_angle(double t) { return 0.5 * std::sin(2 * t); }

Recording seen_arm(const char* shoulder, const char* elbow, const char* wrist, double seconds = 4) {
  Recording recording;
  recording.source = "video";
  const auto keypoint = [&](const char* name, const std::function<std::array<double, 2>(double)>& place) {
    SensorTrack track;
    track.name = name;
    track.clock.rate_hz = 100;
    const auto n = static_cast<std::int64_t>(seconds * 100);
    Channel at(Quantity::image_position, n), sure(Quantity::confidence, n);
    for (std::int64_t i = 0; i < n; ++i) {
      const auto k = static_cast<std::size_t>(i);
      const bool lost = i % 17 == 3;
      const auto [x, y] = place(static_cast<double>(i) / 100);
      at.axis(0)[k] = lost ? 0.0f : static_cast<float>(x);
      at.axis(1)[k] = lost ? 0.0f : static_cast<float>(y);
      sure.axis(0)[k] = lost ? 0.0f : 0.8f;
    }
    track.channels = {std::move(at), std::move(sure)};
    recording.sensors.push_back(std::move(track));
  };
  using Place = std::array<double, 2>;
  keypoint(shoulder, [](double) { return Place{400, 300 - upper_arm_pixels}; });
  keypoint(elbow, [](double) { return Place{400, 300}; });
  keypoint(wrist, [](double t) {
    return Place{400 + forearm_pixels * std::cos(swing_angle(t)),
                 300 - forearm_pixels * std::sin(swing_angle(t))};
  });
  return recording;
}

}  // namespace

TEST_CASE("an arm in a picture moves in a plane, as long as an arm is") {
  BodyImuOptions options;
  options.along = 1;
  options.arm_m = 0.6;
  const Recording imu = virtual_forearms(seen_arm("RShoulder", "RElbow", "RWrist"), options);
  REQUIRE(imu.sensors.size() == 1);
  const SensorTrack& sensor = imu.sensors[0];
  CHECK(sensor.name == "forearm_right");
  const double radius = 0.6 * forearm_pixels / (forearm_pixels + upper_arm_pixels);
  for (std::int64_t i = 0; i < sensor.sample_count(); i += 9) {
    const double t = sensor.clock.time_s(i), angle = swing_angle(t), omega = std::cos(2 * t),
                 change = -2 * std::sin(2 * t);
    // x along the forearm, z = x × up, towards the viewer: y is what turns with the arm.
    check_vector(sample(*sensor.find(Quantity::angular_velocity), i), {0, 0, omega}, 0.02);
    check_vector(sample(*sensor.find(Quantity::acceleration), i),
                 {standard_gravity * std::sin(angle) - omega * omega * radius,
                  standard_gravity * std::cos(angle) + change * radius, 0},
                 0.05);
  }
  CHECK(imu.notes.back().find("0.6 m long") != std::string::npos);
}

TEST_CASE("of an arm that is never whole in the picture there is no sensor, and the other one says so") {
  Recording both = seen_arm("RShoulder", "RElbow", "RWrist");
  for (SensorTrack& track : seen_arm("LShoulder", "LElbow", "LWrist").sensors) {
    for (std::size_t i = 60; i < 140; ++i) track.channels[1].axis(0)[i] = 0;
    both.sensors.push_back(track);
  }
  const Recording imu = virtual_forearms(both);
  REQUIRE(imu.sensors.size() == 1);
  CHECK(imu.sensors[0].name == "forearm_right");
  CHECK(imu.notes.back().find("LShoulder") != std::string::npos);
  for (SensorTrack& track : both.sensors) std::fill_n(track.channels[1].axis(0).begin(), 400, 0.0f);
  CHECK_FALSE(has_forearms(both));
}

TEST_CASE("recordings without an arm, too short or with gaps are refused by name") {
  const auto fixed = [](Vec3 p) { return [p](double) { return p; }; };
  Recording body = arm(fixed({0, 0.3, 0}), fixed({}), fixed({0.3, 0, 0}));
  CHECK(has_forearms(body));
  Recording legless = body;
  legless.sensors.pop_back();
  CHECK_FALSE(has_forearms(legless));
  CHECK_THROWS_AS(virtual_forearms(legless), InputError);
  CHECK_THROWS_AS(virtual_forearms(arm(fixed({0, 0.3, 0}), fixed({}), fixed({0.3, 0, 0}), 100, 0.3)),
                  InputError);
  for (std::size_t i = 80; i < 130; ++i) body.sensors[1].channels[0].axis(1)[i] = NAN;
  try {
    virtual_forearms(body);
    FAIL("was smoothed over the gap");
  } catch (const InputError& error) {
    CHECK(std::string(error.what()).find("ElbowRight") != std::string::npos);
  }
  Recording real = arm(fixed({0, 0.3, 0}), fixed({}), fixed({0.3, 0, 0}));
  real.sensors[0].channels.emplace_back(Quantity::acceleration, real.sensors[0].sample_count());
  CHECK_FALSE(has_forearms(real));
}

TEST_CASE("a tracked bow stroke reads like an arm's") {
  const std::string path = test::shared_file("data/kinect-bowing/3DBowingTemplate_2_up.csv");
  if (path.empty()) return;
  const Recording imu = virtual_forearms(read_recording(path));
  REQUIRE(imu.sensors.size() == 2);
  for (const SensorTrack& sensor : imu.sensors) {
    double sum = 0, most = 0;
    for (std::int64_t i = 0; i < sensor.sample_count(); ++i) {
      sum += norm(sample(*sensor.find(Quantity::acceleration), i));
      most = std::max(most, norm(sample(*sensor.find(Quantity::angular_velocity), i)));
    }
    MESSAGE(sensor.name << ": mean force " << sum / static_cast<double>(sensor.sample_count())
                        << " m/s², fastest turn " << most << " rad/s");
    CHECK(sum / static_cast<double>(sensor.sample_count()) ==
          doctest::Approx(standard_gravity).epsilon(0.25));
    CHECK(most > 0.1);
    CHECK(most < 30);
  }
}
