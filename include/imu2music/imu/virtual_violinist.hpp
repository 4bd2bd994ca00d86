// The motion of a violinist's two forearms playing a score, as two armbands would record it.
//
// Axes of the world: x to the player's right, y forward, z up; origin at the right shoulder; metres, seconds.
// S(x) = 10x³ − 15x⁴ + 6x⁵ is the minimum-jerk step from 0 to 1.
//
// Bow. Each note is one stroke, down and up in turn; notes that start within 20 ms of each other are one
// chord and one stroke. The bow's position s (0 at the frog) runs from s₀ to s₁ in the note's time T:
//   speed   V·S(u/ρ) at the start, V in the middle, mirrored at the end, with a ramp of ρ = min(0.12 s, T/2):
//           position is three times continuously differentiable and the bow rests at each reversal
//   length  l = v̄·T with v̄ = 0.30 + 0.50 · velocity/127 m/s, made softly shorter where bow is scarce:
//           room · (1 − exp(−l/room)), room being what is left in the stroke's direction; this also keeps
//           strokes of unequal length from drifting to one end. In very short notes the bow's acceleration
//           is limited to 40 m/s²
// Between notes the arm is still, but for getting ready for another string.
//
// Strings. Pitch chooses the string on which it lies nearest to the nut: G up to C♯4, D up to G♯4, A up to
// D♯5, then E. The string number σ(t) (0 G … 3 E) moves from note to note by Δσ·S, in 0.2 s for a
// neighbouring string and 0.08 s more for each further one, three fifths of it before the note; changes that
// overlap add.
//
// Bow arm. The hand is at C + (h₀ + s)·d(σ): a straight line through the contact point C, the lower the
// string number the less it slopes down. With upper arm a and forearm b, and r the distance from shoulder to
// hand, the law of cosines gives the angles at the shoulder and at the elbow:
//   cos α = (a² + r² − b²) / (2ar)        cos θ = (a² + b² − r²) / (2ab)
// The elbow lies at a·(û cos α + ŵ sin α), û towards the hand and ŵ ⊥ û, turned from hanging down by the
// swivel φ(σ): high for G, low for E. The sensor sits on the forearm 7 cm from the elbow; x runs along the
// forearm to the hand, y along the elbow's hinge û×ŵ, both turned about x by pronation, which grows towards
// the tip of the bow. z points upwards at mid-bow.
//
// Left arm. The same chain. The hand holds the neck and moves towards the bridge above first position, by
// 0.328 m · (1 − 2^(−n/12)) for n semitones of shift; the elbow swings under the violin for low strings; each
// finger turns the forearm by about a degree; notes longer than 0.35 s get a vibrato of the forearm at 5.5 Hz
// (±1.5°, ±3 mm), which starts 0.15 s after the note.
//
// Readings follow from these poses by virtual_imu.hpp at a multiple of the output rate (the smallest that
// reaches 200 Hz, at least four), are low-passed and decimated (resample.hpp), and get bias and noise at the
// output rate. One seed gives one recording; stroke lengths vary by 8 % at random.
//
// Sensor myo1 is the bow arm (right), myo2 the left; quantities rotation (roll, pitch, yaw relative to the
// first sample, unwrapped), angular velocity, acceleration. Time 0 is the score's.
//
// It is a simulation: it has a player's kinematics and a sensor's errors, but no motion of wrist and fingers,
// no lifting of the bow and no tremor.
//
// Cost: about 1 µs for each sample at the inner rate and arm. Errors: InputError for a score without notes,
// with times that are not finite and in order, or longer than three hours; Error for options out of range.
// Source of the proportions: D. A. Winter, Biomechanics and Motor Control of Human Movement, 4th ed., sect.
// 4.1; minimum jerk: T. Flash, N. Hogan, J. Neurosci. 5(7), 1985; ranges of bow speed and acceleration:
// E. Schoonderwaldt, M. Demoucron, J. Acoust. Soc. Am. 126(5), 2009.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numbers>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "imu2music/core/error.hpp"
#include "imu2music/core/random.hpp"
#include "imu2music/imu/recording.hpp"
#include "imu2music/imu/resample.hpp"
#include "imu2music/imu/virtual_imu.hpp"
#include "imu2music/music/note.hpp"

namespace imu2music::inline v0 {

struct VirtualViolinistOptions {
  double rate_hz = 25;  // 1 … 1000
  std::uint64_t seed = 0;
  double tail_s = 1.0;             // stillness after the last note, 0 … 60
  double stroke_variation = 0.08;  // standard deviation of a stroke length's logarithm, 0 … 1
  double vibrato_hz = 5.5;         // 0 (none) … 10
  bool with_orientation = false;   // add each sensor's attitude in the world as a quaternion, without error
  SensorErrors errors;
};

// 0 G, 1 D, 2 A, 3 E: where `pitch` lies nearest to the nut. Below G3 it is G.
constexpr int violin_string(int pitch) { return pitch < 62 ? 0 : pitch < 69 ? 1 : pitch < 76 ? 2 : 3; }

struct ArmPose {
  Vec3 elbow;
  Vec3 hand;
  double elbow_angle = 0;  // between upper arm and forearm, rad: π is a straight arm
  Pose sensor;
};

namespace violinist_detail {

constexpr double degrees(double value) { return value * radians_per_degree; }

// Minimum-jerk step from 0 at x = 0 to 1 at x = 1.
inline double smooth_step(double x) {
  if (x <= 0) return 0;
  if (x >= 1) return 1;
  return x * x * x * (10 + x * (6 * x - 15));
}

// Its integral from 0 to x, for x in [0, 1]; 1/2 at 1.
inline double smooth_step_integral(double x) { return x * x * x * x * (2.5 + x * (x - 3)); }

// A value that changes at given times, each change spread over `width` seconds about its time and a little
// longer the larger it is: width + (|change| − 1) · wider where |change| > 1. Changes that overlap add.
class SmoothTrack {
 public:
  // `early`: which part of a change's duration lies before its time.
  SmoothTrack(double width, double early, double wider = 0) : width_(width), early_(early), wider_(wider) {}

  // Times must not decrease.
  void set(double time, double value) {
    if (!changes_.empty() && changes_.back().value == value) return;
    const double step = changes_.empty() ? 0 : std::abs(value - changes_.back().value);
    const double duration = width_ + wider_ * std::max(0.0, step - 1);
    longest_ = std::max(longest_, duration);
    changes_.push_back({time, value, duration});
  }

  double at(double t) const {
    const auto before = [](const Change& change, double time) { return change.time < time; };
    // Changes before `open` are over, those from `unborn` on have not begun.
    const auto open = std::lower_bound(changes_.begin(), changes_.end(), t - (1 - early_) * longest_, before);
    const auto unborn = std::lower_bound(open, changes_.end(), t + early_ * longest_, before);
    auto k = static_cast<std::size_t>(open - changes_.begin());
    double value = changes_[k == 0 ? 0 : k - 1].value;
    if (k == 0) k = 1;  // the first value holds from the beginning of time
    for (; k < static_cast<std::size_t>(unborn - changes_.begin()); ++k) {
      const Change& change = changes_[k];
      value +=
          (change.value - changes_[k - 1].value) * smooth_step((t - change.time) / change.duration + early_);
    }
    return value;
  }

 private:
  struct Change {
    double time;
    double value;
    double duration;
  };
  double width_;
  double early_;
  double wider_;
  double longest_ = 0;
  std::vector<Change> changes_;
};

// One arm from shoulder to hand.
struct Arm {
  Vec3 shoulder;
  double upper_arm;  // m, shoulder to elbow
  double forearm;    // m, elbow to the hand's grip
  double side;       // +1 right: a positive swivel moves the elbow outwards, to the right; −1 left

  static constexpr double sensor_distance = 0.07;  // m, from the elbow along the forearm

  ArmPose pose(Vec3 hand, double swivel, double roll) const {
    const Vec3 reach = hand - shoulder;
    const double r = norm(reach);
    const Vec3 u = (1 / r) * reach;
    const Vec3 down = unit(Vec3{0, 0, -1} + u.z * u);
    const Vec3 outwards = side * cross(down, u);
    const Vec3 w = std::cos(swivel) * down + std::sin(swivel) * outwards;
    const double cosine =
        std::clamp((upper_arm * upper_arm + r * r - forearm * forearm) / (2 * upper_arm * r), -1.0, 1.0);
    const double sine = std::sqrt(1 - cosine * cosine);

    ArmPose result;
    result.hand = hand;
    result.elbow = shoulder + upper_arm * (cosine * u + sine * w);
    result.elbow_angle = std::acos(std::clamp(
        (upper_arm * upper_arm + forearm * forearm - r * r) / (2 * upper_arm * forearm), -1.0, 1.0));
    const Vec3 along = unit(hand - result.elbow);
    const Vec3 hinge = cross(u, w);
    const Vec3 third = cross(along, hinge);
    const double c = std::cos(roll);
    const double s = std::sin(roll);
    result.sensor.rotation = {along, c * hinge + s * third, c * third - s * hinge};
    result.sensor.position = result.elbow + sensor_distance * along;
    return result;
  }

  // The roll with which the sensor's z axis points upwards as far as it can.
  double roll_with_z_up(Vec3 hand, double swivel) const {
    const Rotation3 r = pose(hand, swivel, 0).sensor.rotation;
    return std::atan2(-r.y.z, r.z.z);
  }
};

}  // namespace violinist_detail

class VirtualViolinist {
 public:
  struct Stroke {
    double start_s;
    double end_s;
    double from;    // bow position at the start, m
    double to;      // and at the end
    double ramp_s;  // of speeding up, and of slowing down
  };

  explicit VirtualViolinist(std::span<const Note> notes, const VirtualViolinistOptions& options = {}) {
    check(options);
    vibrato_hz_ = options.vibrato_hz;
    std::vector<Note> sorted = checked(notes);
    std::stable_sort(sorted.begin(), sorted.end(),
                     [](const Note& a, const Note& b) { return a.start < b.start; });

    std::vector<Note> strokes;  // one note a chord: the highest pitch, loudest velocity, latest end
    for (const Note& note : sorted) {
      if (strokes.empty() || note.start - strokes.back().start >= chord_s) {
        strokes.push_back(note);
        continue;
      }
      Note& chord = strokes.back();
      chord.pitch = std::max(chord.pitch, note.pitch);
      chord.velocity = std::max(chord.velocity, note.velocity);
      chord.end = std::max(chord.end, note.end);
    }
    for (std::size_t k = 0; k < strokes.size(); ++k) {
      strokes[k].end = std::max(strokes[k].end, strokes[k].start + shortest_stroke_s);
      if (k + 1 < strokes.size()) strokes[k].end = std::min(strokes[k].end, strokes[k + 1].start);
    }
    lay_strokes(strokes, options);
    lay_left_hand(strokes);
    duration_s_ = strokes_.back().end_s + options.tail_s;

    const double middle = 0.5 * (bow_least + bow_greatest);
    bow_mount_ = right().roll_with_z_up(bow_hand(middle, 1.5), bow_swivel(1.5));
    left_mount_ = left().roll_with_z_up(neck_point(0), left_swivel(1.5));
  }

  const std::vector<Stroke>& strokes() const { return strokes_; }
  double duration_s() const { return duration_s_; }

  // Metres from the frog.
  double bow_position(double t) const {
    const auto next =
        std::upper_bound(strokes_.begin(), strokes_.end(), t,
                         [](double time, const Stroke& stroke) { return time < stroke.start_s; });
    if (next == strokes_.begin()) return strokes_.front().from;
    const Stroke& stroke = *(next - 1);
    if (t >= stroke.end_s) return stroke.to;
    const double elapsed = t - stroke.start_s;
    const double left_s = stroke.end_s - t;
    const double ramp = stroke.ramp_s;
    const double speed = (stroke.to - stroke.from) / (stroke.end_s - stroke.start_s - ramp);
    if (elapsed < ramp)
      return stroke.from + speed * ramp * violinist_detail::smooth_step_integral(elapsed / ramp);
    if (left_s < ramp)
      return stroke.to - speed * ramp * violinist_detail::smooth_step_integral(left_s / ramp);
    return stroke.from + speed * (elapsed - ramp / 2);
  }

  // 0 G … 3 E, in between during a change.
  double string_at(double t) const { return string_.at(t); }

  ArmPose bow_arm(double t) const {
    const double s = bow_position(t);
    const double string = string_.at(t);
    const double pronation = violinist_detail::degrees(60) * (s - 0.5 * (bow_least + bow_greatest));
    return right().pose(bow_hand(s, string), bow_swivel(string), bow_mount_ + pronation);
  }

  ArmPose left_arm(double t) const {
    const double vibrato = vibrato_at(t);
    const double roll = left_mount_ + finger_.at(t) * violinist_detail::degrees(1.2) +
                        vibrato * violinist_detail::degrees(1.5);
    return left().pose(neck_point(shift_.at(t) + 0.003 * vibrato), left_swivel(string_.at(t)), roll);
  }

 private:
  // Geometry, metres. The proportions are those of a person of 1.72 m.
  static constexpr double bow_least = 0.03;  // the bow's hair that is used
  static constexpr double bow_greatest = 0.55;
  static constexpr double grip_offset = 0.05;     // h₀: from the hair's beginning to the hand
  static constexpr double string_length = 0.328;  // nut to bridge
  static constexpr Vec3 contact{-0.20, 0.20, 0.15};
  // Times, seconds.
  static constexpr double chord_s = 0.02;
  static constexpr double shortest_stroke_s = 0.05;
  static constexpr double longest_ramp_s = 0.12;
  static constexpr double longest_score_s = 3 * 3600.0;
  static constexpr double greatest_bow_acceleration = 40;  // m/s²

  static violinist_detail::Arm right() { return {{0, 0, 0}, 0.32, 0.36, 1.0}; }
  static violinist_detail::Arm left() { return {{-0.36, 0, 0}, 0.32, 0.32, -1.0}; }

  static Vec3 bow_hand(double s, double string) {
    const double tilt = violinist_detail::degrees(-14 - 16 * string);  // of the bow: up at G, down at E
    const double c = std::cos(tilt);
    return contact + (grip_offset + s) * Vec3{0.8 * c, 0.6 * c, std::sin(tilt)};
  }
  static double bow_swivel(double string) { return violinist_detail::degrees(62 - 12 * string); }
  // `shift`: metres from first position towards the bridge.
  static Vec3 neck_point(double shift) { return contact + (string_length - shift) * Vec3{-0.6, 0.8, 0.05}; }
  static double left_swivel(double string) { return violinist_detail::degrees(-28 + 8 * string); }

  static void check(const VirtualViolinistOptions& options) {
    const auto in_range = [](const char* name, double value, double least, double greatest) {
      if (!(value >= least && value <= greatest))
        throw Error(std::string("[virtual_violinist] ") + name + " is " + number_text(value) +
                    ", it should be from " + number_text(least) + " to " + number_text(greatest));
    };
    in_range("rate_hz", options.rate_hz, 1, 1000);
    in_range("tail_s", options.tail_s, 0, 60);
    in_range("stroke_variation", options.stroke_variation, 0, 1);
    in_range("vibrato_hz", options.vibrato_hz, 0, 10);
    in_range("errors.acceleration_bias", options.errors.acceleration_bias, 0, 1e3);
    in_range("errors.acceleration_noise_density", options.errors.acceleration_noise_density, 0, 1e3);
    in_range("errors.angular_velocity_bias", options.errors.angular_velocity_bias, 0, 1e3);
    in_range("errors.angular_velocity_noise_density", options.errors.angular_velocity_noise_density, 0, 1e3);
  }

  static std::vector<Note> checked(std::span<const Note> notes) {
    if (notes.empty())
      throw InputError("score", "it has no notes", "give one with notes for the violinist to play");
    for (std::size_t i = 0; i < notes.size(); ++i) {
      const Note& note = notes[i];
      if (!(note.start >= 0) || !(note.end >= note.start) || !std::isfinite(note.end))
        throw InputError("score",
                         "note " + std::to_string(i) + " lasts from " + number_text(note.start) + " s to " +
                             number_text(note.end) + " s",
                         "times should be finite, not negative, and a note should end after it starts");
      if (note.end > longest_score_s)
        throw InputError("score", "note " + std::to_string(i) + " ends at " + number_text(note.end) + " s",
                         "a score of at most three hours can be simulated");
    }
    return {notes.begin(), notes.end()};
  }

  void lay_strokes(const std::vector<Note>& notes, const VirtualViolinistOptions& options) {
    Philox random(options.seed, 1);
    double position = bow_least + 0.3 * (bow_greatest - bow_least);
    bool down = true;
    for (const Note& note : notes) {
      Stroke stroke{note.start, note.end, position, position, 0};
      const double time = stroke.end_s - stroke.start_s;
      stroke.ramp_s = std::min(longest_ramp_s, time / 2);
      const double bow_speed = 0.30 + 0.50 * std::clamp(note.velocity, 0, 127) / 127.0;
      // The steepest slope of S(x) is 15/8.
      const double greatest_speed = greatest_bow_acceleration * stroke.ramp_s / 1.875;
      double length = bow_speed * time * std::exp(options.stroke_variation * random.normal());
      length = std::min(length, greatest_speed * (time - stroke.ramp_s));
      const double room = down ? bow_greatest - position : position - bow_least;
      length = room * -std::expm1(-length / room);
      position += down ? length : -length;
      stroke.to = position;
      strokes_.push_back(stroke);
      string_.set(note.start, violin_string(note.pitch));
      down = !down;
    }
  }

  void lay_left_hand(const std::vector<Note>& notes) {
    constexpr std::array<int, 4> open_strings = {55, 62, 69, 76};
    constexpr std::array<int, 8> first_position_fingers = {0, 1, 1, 2, 2, 3, 3, 4};
    for (const Note& note : notes) {
      const int semitones =
          std::clamp(note.pitch - open_strings[static_cast<std::size_t>(violin_string(note.pitch))], 0, 36);
      const int finger = semitones < 8 ? first_position_fingers[static_cast<std::size_t>(semitones)]
                                       : 1 + (semitones - 8) % 4;
      // Above first position the hand moves in steps of four semitones, one finger for each of them.
      const int shifted = semitones < 8 ? 0 : 6 + 4 * ((semitones - 8) / 4);
      shift_.set(note.start, string_length * (1 - std::exp2(-shifted / 12.0)));
      finger_.set(note.start, finger);
    }
  }

  // −1 … 1: where the vibrato's swing is.
  double vibrato_at(double t) const {
    constexpr double least_note_s = 0.35;
    constexpr double delay_s = 0.15;
    constexpr double rise_s = 0.25;
    constexpr double fall_s = 0.1;
    const auto next =
        std::upper_bound(strokes_.begin(), strokes_.end(), t,
                         [](double time, const Stroke& stroke) { return time < stroke.start_s; });
    if (next == strokes_.begin() || vibrato_hz_ == 0) return 0;
    const Stroke& note = *(next - 1);
    if (t >= note.end_s || note.end_s - note.start_s < least_note_s) return 0;
    const double since = t - note.start_s - delay_s;
    const double strength = violinist_detail::smooth_step(since / rise_s) *
                            violinist_detail::smooth_step((note.end_s - t) / fall_s);
    return strength * std::sin(2 * std::numbers::pi * vibrato_hz_ * since);
  }

  std::vector<Stroke> strokes_;
  violinist_detail::SmoothTrack string_{0.2, 0.6, 0.08};
  violinist_detail::SmoothTrack shift_{0.15, 0.8};
  violinist_detail::SmoothTrack finger_{0.08, 0.8};
  double vibrato_hz_ = 0;
  double duration_s_ = 0;
  double bow_mount_ = 0;
  double left_mount_ = 0;
};

namespace violinist_detail {

template <class PoseAt>
SensorTrack record(const std::string& name, const PoseAt& pose_at, double duration_s,
                   const VirtualViolinistOptions& options, std::uint64_t stream) {
  const double rate = options.rate_hz;
  const double multiple = std::max(4.0, std::ceil(200.0 / rate));
  const auto n_out = static_cast<std::size_t>(std::max(1.0, std::ceil(duration_s * rate * (1 - 1e-12))));
  const std::size_t n = n_out * static_cast<std::size_t>(multiple);
  const Resampler resampler(rate * multiple, rate);

  std::vector<double> rotation(3 * n);
  std::vector<double> angular_velocity(3 * n);
  std::vector<double> acceleration(3 * n);
  const Rotation3 first = pose_at(0.0).rotation;
  for (std::size_t i = 0; i < n; ++i) {
    const double t = static_cast<double>(i) / (rate * multiple);
    const ImuReading reading = ideal_imu_reading(pose_at, t);
    const std::array<double, 3> angles = roll_pitch_yaw(relative_rotation(first, pose_at(t).rotation));
    const Vec3 w = reading.angular_velocity;
    const Vec3 f = reading.specific_force;
    const std::array<double, 9> values = {angles[0], angles[1], angles[2], w.x, w.y, w.z, f.x, f.y, f.z};
    for (std::size_t a = 0; a < 3; ++a) {
      rotation[a * n + i] = values[a];
      angular_velocity[a * n + i] = values[3 + a];
      acceleration[a * n + i] = values[6 + a];
    }
  }
  for (std::size_t a = 0; a < 3; ++a) resample_detail::unwrap(std::span<double>(rotation).subspan(a * n, n));

  SensorTrack sensor;
  sensor.name = name;
  sensor.clock.rate_hz = rate;
  const auto add = [&](Quantity quantity, const std::vector<double>& fine, double bias, double density,
                       Philox random) {
    std::vector<double> coarse(3 * n_out);
    for (std::size_t a = 0; a < 3; ++a)
      resampler.apply(std::span<const double>(fine).subspan(a * n, n),
                      std::span<double>(coarse).subspan(a * n_out, n_out));
    add_sensor_errors(coarse, rate, bias, density, random);
    Channel channel(quantity, static_cast<std::int64_t>(n_out));
    std::transform(coarse.begin(), coarse.end(), channel.samples.begin(),
                   [](double value) { return static_cast<float>(value); });
    sensor.channels.push_back(std::move(channel));
  };
  const SensorErrors& errors = options.errors;
  add(Quantity::rotation, rotation, 0, 0, Philox(options.seed, stream));
  add(Quantity::angular_velocity, angular_velocity, errors.angular_velocity_bias,
      errors.angular_velocity_noise_density, Philox(options.seed, stream + 1));
  add(Quantity::acceleration, acceleration, errors.acceleration_bias, errors.acceleration_noise_density,
      Philox(options.seed, stream + 2));

  if (options.with_orientation) {
    Channel channel(Quantity::orientation, static_cast<std::int64_t>(n_out));
    std::array<double, 4> last = {0, 0, 0, 1};
    for (std::size_t j = 0; j < n_out; ++j) {
      std::array<double, 4> q = quaternion(pose_at(static_cast<double>(j) / rate).rotation);
      const double sign = q[0] * last[0] + q[1] * last[1] + q[2] * last[2] + q[3] * last[3] < 0 ? -1 : 1;
      for (std::size_t a = 0; a < 4; ++a) {
        last[a] = sign * q[a];
        channel.samples[a * n_out + j] = static_cast<float>(last[a]);
      }
    }
    sensor.channels.push_back(std::move(channel));
  }
  return sensor;
}

}  // namespace violinist_detail

// The recording of both arms.
inline Recording simulate_violinist(std::span<const Note> notes,
                                    const VirtualViolinistOptions& options = {}) {
  const VirtualViolinist player(notes, options);
  Recording recording;
  recording.source = "simulated violinist";
  recording.notes.push_back("simulated, not recorded: motion computed from a score of " +
                            std::to_string(notes.size()) + " notes");
  recording.sensors.push_back(violinist_detail::record(
      "myo1", [&](double t) { return player.bow_arm(t).sensor; }, player.duration_s(), options, 16));
  recording.sensors.push_back(violinist_detail::record(
      "myo2", [&](double t) { return player.left_arm(t).sensor; }, player.duration_s(), options, 32));
  return recording;
}

}  // namespace imu2music::inline v0
