// What inertial sensors on the forearms of a tracked body would have read: virtual motion from keypoints.
//
//   joints    shoulder, elbow and wrist of an arm by the Kinect's names (ElbowRight), OpenPose's (RElbow)
//             or plain ones (right_elbow): positions in metres, or places in a picture, see below
//   smoothed  p(t): the value at t of the cubic that fits the samples within ± half_window_s best,
//             weighted by (1 − |τ|³)³, τ from −1 to 1, and by how far a sample lies from the fit at its own
//             time: (1 − (r / s)²)² for a distance r below s, otherwise 0, s six times the median distance
//             and 2 cm at least, found in two rounds. So a frame in which the tracker lost the joint counts
//             nothing. Smooth in t, exact for cubics; noise of the tracking is what limits how short the
//             window may be
//   frame     x from elbow to wrist; z ∥ x × (shoulder − elbow), across the arm's plane; y = z × x
//   place     p = elbow + along · (wrist − elbow)
//   reading   angular velocity 2 vec(q* ⊗ q̇) = vee(Rᵀ Ṙ), and specific force Rᵀ (p̈ − g), which reads +9.81
//             along what is up at rest: ideal_imu_reading() of that pose (imu/virtual_imu.hpp)
//
// Where the arm is nearly straight its plane is not known: below an elbow of 15° the frame goes over,
// smoothly, to z ∥ ± x × (x × up), with the sign that agrees best with the arm's plane over the whole
// recording. (No frame is smooth for every motion of a straight arm.)
//
// A picture has no depth. Its x and −y are taken for the joints' x and y, z for 0, as if the arm moved in a
// plane that faces the camera, which is what it sees of a bow arm from the front; and the unit is such that
// the way from shoulder to elbow to wrist, where it is longest but for one frame in twenty, is arm_m: an arm
// looks as long as it is when it lies in that plane. Turning about the forearm and towards the camera is
// lost.
//
// The result has a sensor forearm_right and forearm_left, as far as the joints are there, with acceleration,
// angular velocity and orientation (sensor → world, world with z up) at rate_hz, from half_window_s after the
// joints' first sample to as long before their last. A recording says that it is virtual in its notes,
// whether it is of a picture, and which arm was seen too seldom.
//
// Cost: some 15 small fits an output sample. Errors: InputError for a recording without the joints of an arm,
// or whose arms are all seen for too short a time, or in too few samples within some window. Source: H. Kwon
// et al., IMUTube, Proc. ACM IMWUT 4(3), 2020, sections 3.2 and 3.3 (the idea); W. Cleveland, Robust Locally
// Weighted Regression, JASA 74, 1979 (the weights); D. Winter, Biomechanics and Motor Control of Human
// Movement, 4th ed., 2009, figure 4.1 (an arm's length).
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "imu2music/core/error.hpp"
#include "imu2music/imu/interpolate.hpp"
#include "imu2music/imu/keypoint.hpp"
#include "imu2music/imu/recording.hpp"
#include "imu2music/imu/virtual_imu.hpp"

namespace imu2music::inline v0 {

struct BodyImuOptions {
  double rate_hz = 100;
  double half_window_s = 0.25;
  double along = 0.25;  // where the sensor sits: 0 the elbow, 1 the wrist
  Vec3 up = {0, 1, 0};  // in the joints' coordinates; the Kinect's camera has y up
  double arm_m = 0.56;  // of a picture's body: 0.186 + 0.146 of a height of 1.7 m
};

namespace body_imu_detail {

struct Arm {
  std::string_view name;  // of the virtual sensor
  std::array<std::string_view, 3> shoulder, elbow, wrist;
};

inline constexpr std::array<Arm, 2> arms = {{{"forearm_right",
                                              {"ShoulderRight", "RShoulder", "right_shoulder"},
                                              {"ElbowRight", "RElbow", "right_elbow"},
                                              {"WristRight", "RWrist", "right_wrist"}},
                                             {"forearm_left",
                                              {"ShoulderLeft", "LShoulder", "left_shoulder"},
                                              {"ElbowLeft", "LElbow", "left_elbow"},
                                              {"WristLeft", "LWrist", "left_wrist"}}}};

// In the joints' coordinates: metres, or a picture's unit.
inline Vec3 place_of(const Keypoint& joint, std::size_t i) {
  const double x = joint.place(0, i), y = joint.place(1, i);
  return joint.in_picture() ? Vec3{x, -y, 0} : Vec3{x, y, joint.place(2, i)};
}

inline std::optional<Keypoint> find_joint(const Recording& recording,
                                          const std::array<std::string_view, 3>& names) {
  for (const std::string_view name : names)
    if (const SensorTrack* track = recording.find_sensor(name))
      if (const Keypoint joint(*track, Quantity::position); joint.is_ever_there()) return joint;
  return {};
}

struct Joints {
  Keypoint shoulder, elbow, wrist;
};

// None where a joint is missing, or one is in a picture and another in metres.
inline std::optional<Joints> find_joints(const Recording& recording, const Arm& arm) {
  const auto shoulder = find_joint(recording, arm.shoulder), elbow = find_joint(recording, arm.elbow),
             wrist = find_joint(recording, arm.wrist);
  if (!shoulder || !elbow || !wrist) return {};
  if (shoulder->in_picture() != elbow->in_picture() || elbow->in_picture() != wrist->in_picture()) return {};
  return Joints{*shoulder, *elbow, *wrist};
}

// The way from shoulder to elbow to wrist, in the joints' unit, that one frame in twenty exceeds.
inline double apparent_length(const Joints& arm, const std::string& source) {
  std::vector<double> lengths;
  const std::size_t n = static_cast<std::size_t>(
      std::min({arm.shoulder.sensor().sample_count(), arm.elbow.sensor().sample_count(),
                arm.wrist.sensor().sample_count()}));
  for (std::size_t i = 0; i < n; ++i)
    if (arm.shoulder.is_there(i) && arm.elbow.is_there(i) && arm.wrist.is_there(i))
      lengths.push_back(norm(place_of(arm.shoulder, i) - place_of(arm.elbow, i)) +
                        norm(place_of(arm.elbow, i) - place_of(arm.wrist, i)));
  if (lengths.empty())
    throw InputError(source + ", " + arm.wrist.sensor().name, "is never seen with its elbow and shoulder",
                     "the three are needed in one frame");
  const auto at = lengths.begin() + static_cast<std::ptrdiff_t>(lengths.size() * 19 / 20);
  std::nth_element(lengths.begin(), at, lengths.end());
  if (!(*at > 0))
    throw InputError(source + ", " + arm.wrist.sensor().name, "is always where its elbow and shoulder are",
                     "keypoints of a body are needed");
  return *at;
}

// A joint's path, smoothed.
class Path {
 public:
  // `axes` are the world's axes in the joints' coordinates, `unit_m` is what these count in.
  Path(const Keypoint& joint, double unit_m, const Rotation3& axes, double half_window_s,
       const std::string& source)
      : half_window_(half_window_s), name_(source + ", " + joint.sensor().name) {
    const std::vector<double> times = sample_times(joint.sensor());
    for (std::size_t i = 0; i < times.size(); ++i) {
      if (!joint.is_there(i)) continue;
      times_.push_back(times[i]);
      places_.push_back(axes.to_sensor(unit_m * place_of(joint, i)));
    }
    if (times_.size() < least)
      throw InputError(name_, "has " + std::to_string(times_.size()) + " positions",
                       std::to_string(least) + " at least are needed");
    trust_.assign(times_.size(), 1.0);
    for (int round = 0; round < 2; ++round) weigh();
  }

  double begin() const { return times_.front(); }
  double end() const { return times_.back(); }

  Vec3 at(double t) const {
    // Σ w τ^(i+j) c_j = Σ w τ^i p, i, j = 0..3; the value at τ = 0 is c_0.
    std::array<double, 7> moments{};
    std::array<Vec3, 4> sums{};
    std::size_t count = 0;
    auto i = static_cast<std::size_t>(std::lower_bound(times_.begin(), times_.end(), t - half_window_) -
                                      times_.begin());
    for (; i < times_.size() && times_[i] < t + half_window_; ++i) {
      const double tau = (times_[i] - t) / half_window_, cube = 1 - std::abs(tau * tau * tau);
      if (!(cube > 0)) continue;
      const double weight = trust_[i] * cube * cube * cube;
      if (!(weight > 0)) continue;
      double power = weight;
      for (std::size_t k = 0; k < moments.size(); ++k, power *= tau) {
        moments[k] += power;
        if (k < sums.size()) sums[k] = sums[k] + power * places_[i];
      }
      ++count;
    }
    if (count < least)
      throw InputError(name_,
                       "was seen " + std::to_string(count) + " times within " +
                           number_text(2 * half_window_) + " s around " +
                           number_text(std::round(t * 1000) / 1000) + " s",
                       "smoothing needs " + std::to_string(least) + ": cut the recording at such gaps");
    return solve(moments, sums);
  }

 private:
  static constexpr std::size_t least = 6;

  void weigh() {
    std::vector<double> distances(times_.size());
    for (std::size_t i = 0; i < times_.size(); ++i) distances[i] = norm(places_[i] - at(times_[i]));
    std::vector<double> order = distances;
    const auto middle = order.begin() + static_cast<std::ptrdiff_t>(order.size() / 2);
    std::nth_element(order.begin(), middle, order.end());
    constexpr double precise = 0.02;  // m: no tracker's noise is so small that less than this is a loss
    const double most = std::max(6 * *middle, precise);
    for (std::size_t i = 0; i < times_.size(); ++i) {
      const double share = distances[i] / most, bell = 1 - share * share;
      trust_[i] = share < 1 ? bell * bell : 0;
    }
  }

  // The first unknown of the 4 × 4 system, by elimination with the largest pivot.
  static Vec3 solve(const std::array<double, 7>& moments, std::array<Vec3, 4> right) {
    std::array<std::array<double, 4>, 4> a{};
    for (std::size_t r = 0; r < 4; ++r)
      for (std::size_t c = 0; c < 4; ++c) a[r][c] = moments[r + c];
    for (std::size_t k = 0; k < 4; ++k) {
      std::size_t pivot = k;
      for (std::size_t r = k + 1; r < 4; ++r)
        if (std::abs(a[r][k]) > std::abs(a[pivot][k])) pivot = r;
      std::swap(a[k], a[pivot]);
      std::swap(right[k], right[pivot]);
      for (std::size_t r = k + 1; r < 4; ++r) {
        const double factor = a[r][k] / a[k][k];
        for (std::size_t c = k; c < 4; ++c) a[r][c] -= factor * a[k][c];
        right[r] = right[r] - factor * right[k];
      }
    }
    std::array<Vec3, 4> c{};
    for (std::size_t k = 4; k-- > 0;) {
      Vec3 rest = right[k];
      for (std::size_t j = k + 1; j < 4; ++j) rest = rest - a[k][j] * c[j];
      c[k] = (1 / a[k][k]) * rest;
    }
    return c[0];
  }

  double half_window_;
  std::string name_;
  std::vector<double> times_;
  std::vector<Vec3> places_;
  std::vector<double> trust_;  // of each sample, 0..1
};

// World axes (z up) in the joints' coordinates; the heading is arbitrary.
inline Rotation3 world_axes(Vec3 up) {
  const Vec3 z = unit(up);
  const Vec3 aside = std::abs(z.x) < 0.9 ? Vec3{1, 0, 0} : Vec3{0, 0, 1};
  const Vec3 x = unit(aside - dot(aside, z) * z);
  return {x, cross(z, x), z};
}

// x of the frame, and a vector across the arm's plane whose length is the sine of the elbow's angle.
struct ArmAxes {
  Vec3 along, across;
};
inline ArmAxes arm_axes(Vec3 shoulder, Vec3 elbow, Vec3 wrist) {
  const Vec3 x = unit(wrist - elbow);
  return {x, cross(x, unit(shoulder - elbow))};
}

// The z that is used for a straight arm, but for its sign.
inline Vec3 level_axis(Vec3 x) {
  const Vec3 level = cross(x, cross(x, Vec3{0, 0, 1}));
  return norm(level) > 1e-9 ? unit(level) : Vec3{1, 0, 0};
}

inline Rotation3 forearm_rotation(const ArmAxes& arm, double sign) {
  constexpr double bent = 0.25881904510252074;  // sin 15°
  const double sine = norm(arm.across);
  Vec3 z = arm.across;
  if (sine < bent) {
    const double s = sine / bent, weight = s * s * (3 - 2 * s);
    z = (sine > 1e-9 ? weight / sine : 0.0) * arm.across + (sign * (1 - weight)) * level_axis(arm.along);
    if (!(norm(z) > 1e-6)) z = sign * level_axis(arm.along);
  }
  z = unit(z - dot(z, arm.along) * arm.along);
  return {arm.along, cross(z, arm.along), z};
}

}  // namespace body_imu_detail

// Whether the recording has the joints of an arm and no sensor that measures motion itself.
inline bool has_forearms(const Recording& recording) {
  for (const SensorTrack& sensor : recording.sensors)
    if (sensor.find(Quantity::acceleration) != nullptr || sensor.find(Quantity::angular_velocity) != nullptr)
      return false;
  return std::any_of(body_imu_detail::arms.begin(), body_imu_detail::arms.end(), [&](const auto& arm) {
    return body_imu_detail::find_joints(recording, arm).has_value();
  });
}

namespace body_imu_detail {

inline SensorTrack virtual_sensor(const Arm& arm, const Joints& joints, const BodyImuOptions& options,
                                  const std::string& source) {
  const Rotation3 world = world_axes(options.up);
  const double unit_m = joints.wrist.in_picture() ? options.arm_m / apparent_length(joints, source) : 1;
  const auto path = [&](const Keypoint& joint) {
    return Path(joint, unit_m, world, options.half_window_s, source);
  };
  const Path a = path(joints.shoulder), b = path(joints.elbow), c = path(joints.wrist);
  const double begin = std::max({a.begin(), b.begin(), c.begin()}) + options.half_window_s;
  const double end = std::min({a.end(), b.end(), c.end()}) - options.half_window_s;
  const double count = std::floor((end - begin) * options.rate_hz + 1e-6) + 1;
  if (!(count >= 2))
    throw InputError(source, "is too short for motion to be told",
                     "it should last " + number_text(3 * options.half_window_s) + " s at least");
  if (count > 1e8) throw InputError(source, "is too long", "cut it into parts");
  const auto n = static_cast<std::int64_t>(count);
  SensorTrack sensor;
  sensor.name = std::string(arm.name);
  sensor.clock.start_s = begin;
  sensor.clock.rate_hz = options.rate_hz;
  Channel force(Quantity::acceleration, n), turning(Quantity::angular_velocity, n),
      attitude(Quantity::orientation, n);
  double agreement_of_plane = 0;
  for (std::int64_t i = 0; i < n; ++i) {
    const double t = begin + static_cast<double>(i) / options.rate_hz;
    const Vec3 shoulder_at = a.at(t), elbow_at = b.at(t), wrist_at = c.at(t);  // in this order
    const ArmAxes axes = arm_axes(shoulder_at, elbow_at, wrist_at);
    agreement_of_plane += dot(axes.across, level_axis(axes.along));
  }
  const double sign = agreement_of_plane < 0 ? -1 : 1;
  const auto pose_at = [&](double t) {
    const Vec3 shoulder_at = a.at(t), elbow_at = b.at(t), wrist_at = c.at(t);
    return Pose{forearm_rotation(arm_axes(shoulder_at, elbow_at, wrist_at), sign),
                elbow_at + options.along * (wrist_at - elbow_at)};
  };
  std::array<double, 4> before{};
  for (std::int64_t i = 0; i < n; ++i) {
    const double t = begin + static_cast<double>(i) / options.rate_hz;
    const ImuReading reading = ideal_imu_reading(pose_at, t);
    const auto put = [&](Channel& channel, std::initializer_list<double> values) {
      int axis = 0;
      for (const double value : values)
        channel.axis(axis++)[static_cast<std::size_t>(i)] = static_cast<float>(value);
    };
    put(force, {reading.specific_force.x, reading.specific_force.y, reading.specific_force.z});
    put(turning, {reading.angular_velocity.x, reading.angular_velocity.y, reading.angular_velocity.z});
    std::array<double, 4> q = quaternion(pose_at(t).rotation);
    double agreement = 0;
    for (std::size_t k = 0; k < 4; ++k) agreement += q[k] * before[k];
    if (agreement < 0)
      for (double& part : q) part = -part;
    before = q;
    put(attitude, {q[0], q[1], q[2], q[3]});
  }
  sensor.channels = {std::move(force), std::move(turning), std::move(attitude)};
  return sensor;
}

}  // namespace body_imu_detail

inline Recording virtual_forearms(const Recording& recording, const BodyImuOptions& options = {}) {
  using namespace body_imu_detail;
  check_recording(recording);
  if (!has_forearms(recording))
    throw InputError(recording.source,
                     "has no shoulder, elbow and wrist of one arm, or has sensors of its own",
                     "joints should be named like ShoulderRight, ElbowRight, WristRight");
  if (!(options.rate_hz > 0) || !(options.half_window_s > 0) || !(norm(options.up) > 0) ||
      !(options.arm_m > 0))
    throw Error("[virtual_forearms] rate, window, an arm's length and what is up should be above 0");
  Recording result;
  result.source = recording.source;
  result.format = recording.format;
  result.notes = recording.notes;
  result.notes.push_back("the motion is virtual: what sensors on the forearms would have read");
  std::optional<InputError> unseen;
  bool in_picture = false;
  for (const Arm& arm : arms) {
    const std::optional<Joints> joints = find_joints(recording, arm);
    if (!joints) continue;
    try {
      result.sensors.push_back(virtual_sensor(arm, *joints, options, recording.source));
      in_picture = in_picture || joints->wrist.in_picture();
    } catch (const InputError& error) {  // of use by the other arm alone
      unseen = error;
    }
  }
  if (result.sensors.empty()) throw *unseen;
  if (in_picture)
    result.notes.push_back("the arm is taken to move in the picture's plane, and to be " +
                           number_text(options.arm_m) + " m long where it looks longest");
  if (unseen) result.notes.push_back("one arm has no sensor: " + std::string(unseen->what()));
  return result;
}

}  // namespace imu2music::inline v0
