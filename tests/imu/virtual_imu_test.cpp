#include "imu2music/imu/virtual_imu.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <numbers>
#include <vector>

using namespace imu2music;

namespace {

Rotation3 about_x(double a) {
  return {{1, 0, 0}, {0, std::cos(a), std::sin(a)}, {0, -std::sin(a), std::cos(a)}};
}
Rotation3 about_y(double a) {
  return {{std::cos(a), 0, -std::sin(a)}, {0, 1, 0}, {std::sin(a), 0, std::cos(a)}};
}
Rotation3 about_z(double a) {
  return {{std::cos(a), std::sin(a), 0}, {-std::sin(a), std::cos(a), 0}, {0, 0, 1}};
}
Rotation3 product(const Rotation3& a, const Rotation3& b) {
  return {a.to_world(b.x), a.to_world(b.y), a.to_world(b.z)};
}

void check_vector(Vec3 got, Vec3 wanted, double tolerance) {
  CHECK(std::abs(got.x - wanted.x) < tolerance);
  CHECK(std::abs(got.y - wanted.y) < tolerance);
  CHECK(std::abs(got.z - wanted.z) < tolerance);
}

}  // namespace

TEST_CASE("a sensor at rest reads gravity along what is up, whatever its attitude") {
  const auto level = [](double) { return Pose{}; };
  check_vector(ideal_imu_reading(level, 3.0).specific_force, {0, 0, 9.80665}, 1e-9);
  check_vector(ideal_imu_reading(level, 3.0).angular_velocity, {0, 0, 0}, 1e-12);
  const auto nose_up = [](double) { return Pose{about_y(-std::numbers::pi / 2), {1, 2, 3}}; };
  check_vector(ideal_imu_reading(nose_up, 3.0).specific_force, {9.80665, 0, 0}, 1e-6);
}

TEST_CASE("constant rotation on a circle: rate about the axis, centripetal force inwards") {
  const double omega = 4.0;
  const double radius = 0.5;
  const auto wheel = [&](double t) {
    return Pose{about_z(omega * t), {radius * std::cos(omega * t), radius * std::sin(omega * t), 0}};
  };
  for (const double t : {0.0, 0.7, 10.0}) {
    const ImuReading reading = ideal_imu_reading(wheel, t);
    check_vector(reading.angular_velocity, {0, 0, omega}, 1e-6);
    check_vector(reading.specific_force, {-omega * omega * radius, 0, 9.80665}, 1e-5);
  }
}

TEST_CASE("free fall reads nothing, acceleration reads itself") {
  const auto falling = [](double t) { return Pose{about_x(0.4), {0, 0, -0.5 * standard_gravity * t * t}}; };
  check_vector(ideal_imu_reading(falling, 0.2).specific_force, {0, 0, 0}, 1e-6);
  const auto pushed = [](double t) { return Pose{about_z(std::numbers::pi / 2), {t * t, 0, 0}}; };
  check_vector(ideal_imu_reading(pushed, 0.2).specific_force, {0, -2, 9.80665}, 1e-6);
}

TEST_CASE("angular velocity is in the sensor's axes") {
  // Turned by a quarter about x first: the world's z is then the sensor's y.
  const auto spin = [](double t) { return Pose{product(about_z(2 * t), about_x(std::numbers::pi / 2)), {}}; };
  check_vector(ideal_imu_reading(spin, 0.3).angular_velocity, {0, 2, 0}, 1e-6);
  const auto fast = [](double t) { return Pose{about_x(100 * t), {}}; };  // 5730 degrees/s
  check_vector(ideal_imu_reading(fast, 0.3).angular_velocity, {100, 0, 0}, 1e-6);
}

TEST_CASE("angles and quaternions come from the matrix that they make") {
  for (const double roll : {-2.5, 0.0, 1.1})
    for (const double pitch : {-1.4, 0.0, 0.9})
      for (const double yaw : {-3.0, 0.0, 2.2}) {
        const Rotation3 r = product(about_z(yaw), product(about_y(pitch), about_x(roll)));
        const auto angles = roll_pitch_yaw(r);
        CHECK(angles[0] == doctest::Approx(roll));
        CHECK(angles[1] == doctest::Approx(pitch));
        CHECK(angles[2] == doctest::Approx(yaw));
        const auto [x, y, z, w] = quaternion(r);
        CHECK(x * x + y * y + z * z + w * w == doctest::Approx(1));
        CHECK(w >= 0);
        // Second column of the quaternion's matrix, and its first's last element.
        check_vector(r.y, {2 * (x * y - w * z), 1 - 2 * (x * x + z * z), 2 * (y * z + w * x)}, 1e-12);
        CHECK(r.x.z == doctest::Approx(2 * (x * z - w * y)));
      }
  const auto up = roll_pitch_yaw(product(about_z(0.5), about_y(std::numbers::pi / 2)));
  CHECK(up[1] == doctest::Approx(std::numbers::pi / 2));
  CHECK(up[2] == doctest::Approx(0.5));
}

TEST_CASE("errors: one bias an axis, noise of the density asked for, by the generator alone") {
  const std::size_t n = 40000;
  std::vector<double> samples(3 * n, 1.0);
  Philox random(5, 6);
  add_sensor_errors(samples, 200, 0.5, 0.02, random);
  for (std::size_t axis = 0; axis < 3; ++axis) {
    double mean = 0;
    double squares = 0;
    for (std::size_t i = 0; i < n; ++i) mean += samples[axis * n + i] / static_cast<double>(n);
    for (std::size_t i = 0; i < n; ++i)
      squares += std::pow(samples[axis * n + i] - mean, 2) / static_cast<double>(n);
    CHECK(std::abs(mean - 1) < 2.0);
    CHECK(std::abs(mean - 1) > 0.001);
    CHECK(std::sqrt(squares) == doctest::Approx(0.02 * 10).epsilon(0.03));
  }
  std::vector<double> again(3 * n, 1.0);
  Philox same(5, 6);
  add_sensor_errors(again, 200, 0.5, 0.02, same);
  CHECK(again == samples);
}
