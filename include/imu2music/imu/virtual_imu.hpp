// What an inertial sensor on a moving body reads.
//
// The body is a function pose(t) → {R, p}: R turns sensor coordinates into world coordinates (z up), p is
// where the sensor is, in metres. Then, in sensor coordinates,
//
//   angular velocity  ω = vee(Rᵀ Ṙ)                      rad/s
//   specific force    f = Rᵀ (p̈ − g),  g = (0, 0, −9.81)  m/s²: a sensor at rest reads +9.81 along what is up
//   attitude          angles of R₀ᵀ R, relative to the first sample, as an armband reports them
//
// Derivatives are central differences of the pose at t ± h, h = 10⁻⁴ s: Rᵀ(t−h) R(t+h) is a turn by 2h|ω|
// about ω; p̈ = (p(t+h) − 2 p(t) + p(t−h)) / h², whose rounding error is near 10⁻⁸ m/s² for positions within a
// metre.
//
// Angles are roll, pitch, yaw (φ, θ, ψ) with R = R_z(ψ) R_y(θ) R_x(φ).
//
// SensorErrors adds a constant bias and white noise: reading = true + bias + σ ξ, σ = density · √(rate / 2).
// The defaults are those of the inertial sensor in the Myo armband (InvenSense MPU-9250): noise densities 300
// µg/√Hz and 0.01 °/s/√Hz by its data sheet; a bias of 0.03 g and, after the armband's own calibration, of
// 0.5 °/s.
//
// Cost: three poses a sample. Nothing throws. Source: D. Titterton, J. Weston, Strapdown Inertial Navigation
// Technology, 2nd ed., chapter 3; J. Diebel, Representing Attitude, 2006 (angles).
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <span>

#include "imu2music/core/random.hpp"
#include "imu2music/imu/recording.hpp"

namespace imu2music::inline v0 {

struct Vec3 {
  double x = 0;
  double y = 0;
  double z = 0;

  friend Vec3 operator+(Vec3 a, Vec3 b) { return {a.x + b.x, a.y + b.y, a.z + b.z}; }
  friend Vec3 operator-(Vec3 a, Vec3 b) { return {a.x - b.x, a.y - b.y, a.z - b.z}; }
  friend Vec3 operator*(double s, Vec3 a) { return {s * a.x, s * a.y, s * a.z}; }
  friend double dot(Vec3 a, Vec3 b) { return a.x * b.x + a.y * b.y + a.z * b.z; }
  friend Vec3 cross(Vec3 a, Vec3 b) {
    return {a.y * b.z - a.z * b.y, a.z * b.x - a.x * b.z, a.x * b.y - a.y * b.x};
  }
  friend double norm(Vec3 a) { return std::sqrt(dot(a, a)); }
  friend Vec3 unit(Vec3 a) { return (1 / norm(a)) * a; }
};

// A rotation matrix by its columns: the sensor's axes in world coordinates.
struct Rotation3 {
  Vec3 x = {1, 0, 0};
  Vec3 y = {0, 1, 0};
  Vec3 z = {0, 0, 1};

  Vec3 to_world(Vec3 v) const { return v.x * x + v.y * y + v.z * z; }
  Vec3 to_sensor(Vec3 v) const { return {dot(x, v), dot(y, v), dot(z, v)}; }
};

// Aᵀ B.
inline Rotation3 relative_rotation(const Rotation3& a, const Rotation3& b) {
  return {a.to_sensor(b.x), a.to_sensor(b.y), a.to_sensor(b.z)};
}

// Roll, pitch and yaw in radians; at a pitch of ±π/2 the yaw is that of roll 0.
inline std::array<double, 3> roll_pitch_yaw(const Rotation3& r) {
  const double pitch = std::asin(std::clamp(-r.x.z, -1.0, 1.0));
  if (std::abs(r.x.z) > 1 - 1e-12) return {0, pitch, std::atan2(-r.y.x, r.y.y)};
  return {std::atan2(r.y.z, r.z.z), pitch, std::atan2(r.x.y, r.x.x)};
}

// Unit quaternion x y z w with w ≥ 0 (Shepperd 1978: divide by the largest component).
inline std::array<double, 4> quaternion(const Rotation3& r) {
  const double trace = r.x.x + r.y.y + r.z.z;
  std::array<double, 4> q{};
  if (trace >= r.x.x && trace >= r.y.y && trace >= r.z.z) {
    q = {r.y.z - r.z.y, r.z.x - r.x.z, r.x.y - r.y.x, 1 + trace};
  } else if (r.x.x >= r.y.y && r.x.x >= r.z.z) {
    q = {1 + r.x.x - r.y.y - r.z.z, r.x.y + r.y.x, r.x.z + r.z.x, r.y.z - r.z.y};
  } else if (r.y.y >= r.z.z) {
    q = {r.x.y + r.y.x, 1 - r.x.x + r.y.y - r.z.z, r.y.z + r.z.y, r.z.x - r.x.z};
  } else {
    q = {r.x.z + r.z.x, r.y.z + r.z.y, 1 - r.x.x - r.y.y + r.z.z, r.x.y - r.y.x};
  }
  double scale = 1 / std::sqrt(q[0] * q[0] + q[1] * q[1] + q[2] * q[2] + q[3] * q[3]);
  if (q[3] < 0) scale = -scale;
  for (double& component : q) component *= scale;
  return q;
}

struct Pose {
  Rotation3 rotation;
  Vec3 position;  // m
};

struct ImuReading {
  Vec3 angular_velocity;  // rad/s
  Vec3 specific_force;    // m/s²
};

// The error-free reading at time t; pose_at(double) → Pose.
template <class PoseAt>
ImuReading ideal_imu_reading(const PoseAt& pose_at, double t) {
  constexpr double h = 1e-4;
  const Pose before = pose_at(t - h);
  const Pose now = pose_at(t);
  const Pose after = pose_at(t + h);

  const Rotation3 turn = relative_rotation(before.rotation, after.rotation);
  // The antisymmetric part of a turn by α about the unit vector e is sin(α) e.
  const Vec3 sine = 0.5 * Vec3{turn.y.z - turn.z.y, turn.z.x - turn.x.z, turn.x.y - turn.y.x};
  const double sine_norm = norm(sine);
  const double angle = std::asin(std::min(1.0, sine_norm));
  const double stretch = sine_norm > 1e-8 ? angle / sine_norm : 1.0;

  const Vec3 acceleration = (1 / (h * h)) * (after.position - 2.0 * now.position + before.position);
  return {(stretch / (2 * h)) * sine, now.rotation.to_sensor(acceleration - Vec3{0, 0, -standard_gravity})};
}

struct SensorErrors {
  double acceleration_bias = 0.03 * standard_gravity;                 // m/s², standard deviation over axes
  double acceleration_noise_density = 300e-6 * standard_gravity;      // m/s² / √Hz
  double angular_velocity_bias = 0.5 * radians_per_degree;            // rad/s
  double angular_velocity_noise_density = 0.01 * radians_per_degree;  // rad/s / √Hz

  static SensorErrors none() { return {0, 0, 0, 0}; }
};

// Adds bias and noise to `samples` [3, n] at rate_hz, from the generator's next numbers.
inline void add_sensor_errors(std::span<double> samples, double rate_hz, double bias, double noise_density,
                              Philox& random) {
  const std::size_t n = samples.size() / 3;
  const double sigma = noise_density * std::sqrt(rate_hz / 2);
  for (std::size_t axis = 0; axis < 3; ++axis) {
    const double offset = bias * random.normal();
    for (double& sample : samples.subspan(axis * n, n)) sample += offset + sigma * random.normal();
  }
}

}  // namespace imu2music::inline v0
