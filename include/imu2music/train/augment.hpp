// Augmentation of a pair as one, before anything is cut from it: motion and notes change together, and the
// tokens that a model reads and those that it should write are later made of the same changed notes.
//
//   motion [C, frames]   per sensor: v ← gain · (R v) + noise for acceleration and for angular velocity, with
//                        one rotation R a sensor, as if it had been worn turned; orientation q ← q ⊗ r⁻¹,
//                        which leaves R's effect on the world unchanged
//   R                    about an axis uniform on the sphere, by an angle uniform in ± rotation_degrees_max
//   gain                 1 + uniform ± gain_max; one for a sensor's acceleration, one for its angular
//                        velocity; orientation has none
//   noise                normal, noise_deviations times the channel's deviation; orientation has none
//   notes                every distinct time (of a start or an end) moves by uniform ± note_jitter_s, but
//                        never by half the distance to its neighbours: notes that begin together still do,
//                        a note that ends where the next begins still does, and no order changes
//   transposition        a whole number of semitones, uniform among those up to transpose_semitones_max that
//                        keep every note within 21..108, and those beyond within 0..127; for music alone, or
//                        where transpose_with_motion says that the motion does not tell the pitch (the
//                        string and the hand's place do, so usually it does)
//
// Everything is a function of (seed, step, index): augmentation_random() gives the generator, and what is
// drawn from it in which order depends on sizes alone. Amounts of 0 change no bit of the motion and no note.
// Cost: O(C · frames + N log N). Errors: Error for amounts that make no sense; ShapeError for sizes that do
// not fit.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numbers>
#include <span>
#include <string>
#include <vector>

#include "imu2music/core/error.hpp"
#include "imu2music/core/random.hpp"
#include "imu2music/imu/recording.hpp"
#include "imu2music/music/note.hpp"
#include "imu2music/train/note_table.hpp"

namespace imu2music::inline v0 {

struct Augmentation {
  double transpose_semitones_max = 0;
  bool transpose_with_motion = false;
  double rotation_degrees_max = 0;
  double gain_max = 0;          // fraction of 1
  double noise_deviations = 0;  // fraction of a channel's deviation
  double note_jitter_s = 0;

  bool is_none() const {
    return transpose_semitones_max == 0 && rotation_degrees_max == 0 && gain_max == 0 &&
           noise_deviations == 0 && note_jitter_s == 0;
  }
};

inline void check_augmentation(const Augmentation& a) {
  const auto check = [](const char* name, double value, double most) {
    if (!(value >= 0 && value <= most))
      throw Error(std::string("[augment] ") + name + " is " + number_text(value) + "; 0 to " +
                  number_text(most) + " is right");
  };
  check("transpose_semitones_max", a.transpose_semitones_max, 48);
  check("rotation_degrees_max", a.rotation_degrees_max, 180);
  check("gain_max", a.gain_max, 1);
  check("noise_deviations", a.noise_deviations, 10);
  check("note_jitter_s", a.note_jitter_s, 10);
}

// The generator of one example: `index` is its place in the step's batch. Steps below 2^40, indices below
// 2^24.
inline Philox augmentation_random(std::uint64_t seed, std::uint64_t step, std::uint64_t index) {
  if (step >= std::uint64_t{1} << 40 || index >= std::uint64_t{1} << 24)
    throw Error("[augment] step " + std::to_string(step) + " or index " + std::to_string(index) +
                " is too large");
  constexpr std::uint64_t apart = 0x9D39247E33776D41u;  // from what else draws with the same seed
  return Philox(seed ^ apart, step << 24 | index);
}

namespace augment_detail {

// Row-major 3 × 3.
using Matrix = std::array<double, 9>;

struct Turn {
  Matrix matrix;
  std::array<double, 4> quaternion;  // x y z w
};

// Always draws three numbers.
inline Turn random_turn(double degrees_max, Philox& random) {
  const double z = 2 * random.uniform() - 1;
  const double longitude = 2 * std::numbers::pi * random.uniform();
  const double angle = (2 * random.uniform() - 1) * degrees_max * radians_per_degree;
  const double around = std::sqrt(std::max(0.0, 1 - z * z));
  const std::array<double, 3> axis = {around * std::cos(longitude), around * std::sin(longitude), z};
  const double s = std::sin(angle / 2), x = s * axis[0], y = s * axis[1], zz = s * axis[2],
               w = std::cos(angle / 2);
  return {{1 - 2 * (y * y + zz * zz), 2 * (x * y - zz * w), 2 * (x * zz + y * w), 2 * (x * y + zz * w),
           1 - 2 * (x * x + zz * zz), 2 * (y * zz - x * w), 2 * (x * zz - y * w), 2 * (y * zz + x * w),
           1 - 2 * (x * x + y * y)},
          {x, y, zz, w}};
}

inline void turn_vectors(std::span<float> rows, std::int64_t frames, const Matrix& m, double gain) {
  float* x = rows.data();
  float* y = x + frames;
  float* z = y + frames;
  for (std::int64_t i = 0; i < frames; ++i) {
    const double a = static_cast<double>(x[i]), b = static_cast<double>(y[i]), c = static_cast<double>(z[i]);
    x[i] = static_cast<float>(gain * (m[0] * a + m[1] * b + m[2] * c));
    y[i] = static_cast<float>(gain * (m[3] * a + m[4] * b + m[5] * c));
    z[i] = static_cast<float>(gain * (m[6] * a + m[7] * b + m[8] * c));
  }
}

// q ⊗ conj(r).
inline void turn_orientations(std::span<float> rows, std::int64_t frames, const std::array<double, 4>& r) {
  const double rx = -r[0], ry = -r[1], rz = -r[2], rw = r[3];
  float* p = rows.data();
  for (std::int64_t i = 0; i < frames; ++i) {
    const auto at = [&](int axis) { return static_cast<double>(p[axis * frames + i]); };
    const double x = at(0), y = at(1), z = at(2), w = at(3);
    p[i] = static_cast<float>(w * rx + x * rw + y * rz - z * ry);
    p[frames + i] = static_cast<float>(w * ry - x * rz + y * rw + z * rx);
    p[2 * frames + i] = static_cast<float>(w * rz + x * ry - y * rx + z * rw);
    p[3 * frames + i] = static_cast<float>(w * rw - x * rx - y * ry - z * rz);
  }
}

inline double deviation(std::span<const float> row) {
  if (row.empty()) return 0;
  double sum = 0, squares = 0;
  for (const float value : row) sum += static_cast<double>(value);
  const double mean = sum / static_cast<double>(row.size());
  for (const float value : row)
    squares += (static_cast<double>(value) - mean) * (static_cast<double>(value) - mean);
  return std::sqrt(squares / static_cast<double>(row.size()));
}

}  // namespace augment_detail

// motion: [C, frames], C = sensors × the axes of `quantities`, in place (imu/motion_channels.hpp gives it
// so). deviations: [C], or empty: then those of these frames are taken. ShapeError for a quantity that cannot
// be turned (three angles).
inline void augment_motion(const Augmentation& augmentation, std::span<float> motion, std::int64_t frames,
                           int sensors, std::span<const Quantity> quantities,
                           std::span<const float> deviations, Philox& random) {
  using namespace augment_detail;
  check_augmentation(augmentation);
  std::int64_t axes = 0;
  for (const Quantity quantity : quantities) {
    axes += axis_count(quantity);
    if (quantity != Quantity::acceleration && quantity != Quantity::angular_velocity &&
        quantity != Quantity::orientation)
      throw ShapeError("[augment] the " + std::string(to_string(quantity)) +
                       " of a sensor cannot be turned with it");
  }
  const std::int64_t C = sensors * axes;
  if (frames < 0 || static_cast<std::int64_t>(motion.size()) != C * frames ||
      (!deviations.empty() && static_cast<std::int64_t>(deviations.size()) != C))
    throw ShapeError("[augment] " + std::to_string(motion.size()) + " values and " +
                     std::to_string(deviations.size()) + " deviations are not those of " + std::to_string(C) +
                     " channels and " + std::to_string(frames) + " frames");
  const auto row = [&](std::int64_t channel, std::int64_t count) {
    return motion.subspan(static_cast<std::size_t>(channel * frames),
                          static_cast<std::size_t>(count * frames));
  };
  std::vector<double> noise(static_cast<std::size_t>(C));
  for (std::int64_t c = 0; c < C && augmentation.noise_deviations > 0; ++c)
    noise[static_cast<std::size_t>(c)] =
        augmentation.noise_deviations * (deviations.empty()
                                             ? deviation(row(c, 1))
                                             : static_cast<double>(deviations[static_cast<std::size_t>(c)]));

  std::int64_t channel = 0;
  for (int sensor = 0; sensor < sensors; ++sensor) {
    const Turn turn = random_turn(augmentation.rotation_degrees_max, random);
    for (const Quantity quantity : quantities) {
      const int count = axis_count(quantity);
      if (quantity == Quantity::orientation) {
        if (augmentation.rotation_degrees_max > 0)
          turn_orientations(row(channel, count), frames, turn.quaternion);
      } else {
        const double gain = 1 + (2 * random.uniform() - 1) * augmentation.gain_max;
        if (augmentation.rotation_degrees_max > 0 || augmentation.gain_max > 0)
          turn_vectors(row(channel, count), frames, turn.matrix, gain);
      }
      channel += count;
    }
  }
  if (augmentation.noise_deviations == 0) return;
  channel = 0;
  for (int sensor = 0; sensor < sensors; ++sensor)
    for (const Quantity quantity : quantities)
      for (int axis = 0; axis < axis_count(quantity); ++axis, ++channel) {
        if (quantity == Quantity::orientation) continue;
        for (float& value : row(channel, 1))
          value += static_cast<float>(noise[static_cast<std::size_t>(channel)] * random.normal());
      }
}

// By how many semitones the notes went up is told in `semitones`, where given.
inline std::vector<Note> augment_notes(const Augmentation& augmentation, std::span<const Note> notes,
                                       bool has_motion, Philox& random, int* semitones = nullptr) {
  check_augmentation(augmentation);
  std::vector<Note> result(notes.begin(), notes.end());

  constexpr int lowest = 21, highest = 108;
  const int most = static_cast<int>(augmentation.transpose_semitones_max);
  int down = -most, up = most;
  for (const Note& note : result) {
    const bool in_range = note.pitch >= lowest && note.pitch <= highest;
    down = std::max(down, (in_range ? lowest : 0) - note.pitch);
    up = std::min(up, (in_range ? highest : 127) - note.pitch);
  }
  const std::uint64_t drawn = random.uint64();
  int shift = 0;
  if (!has_motion || augmentation.transpose_with_motion)
    shift = down + static_cast<int>(drawn % static_cast<std::uint64_t>(up - down + 1));
  for (Note& note : result) note.pitch += shift;
  if (semitones != nullptr) *semitones = shift;

  if (augmentation.note_jitter_s > 0 && !result.empty()) {
    std::vector<double> times;
    for (const Note& note : result) {
      times.push_back(note.start);
      times.push_back(note.end);
    }
    std::sort(times.begin(), times.end());
    times.erase(std::unique(times.begin(), times.end()), times.end());
    std::vector<double> moved(times.size());
    for (std::size_t i = 0; i < times.size(); ++i) {
      double room = augmentation.note_jitter_s;
      if (i > 0) room = std::min(room, 0.49 * (times[i] - times[i - 1]));
      if (i + 1 < times.size()) room = std::min(room, 0.49 * (times[i + 1] - times[i]));
      moved[i] = times[i] + (2 * random.uniform() - 1) * room;
      if (times[i] >= 0) moved[i] = std::max(0.0, moved[i]);
    }
    const auto at = [&](double time) {
      return moved[static_cast<std::size_t>(std::lower_bound(times.begin(), times.end(), time) -
                                            times.begin())];
    };
    for (Note& note : result) {
      note.start = at(note.start);
      note.end = at(note.end);
    }
  }
  sort_notes(result);
  return result;
}

struct AugmentedWindow {
  std::vector<float> motion;  // [C, frames]; empty for music alone
  std::vector<Note> notes;  // of the whole pair, on its axis: window_tokens() cuts inputs and targets of them
  int semitones = 0;
};

// Motion frames of a window, and all notes of its pair.
inline AugmentedWindow augment(const Augmentation& augmentation, std::span<const float> motion,
                               std::int64_t frames, int sensors, std::span<const Quantity> quantities,
                               std::span<const float> deviations, std::span<const Note> notes,
                               Philox random) {
  AugmentedWindow result;
  result.motion.assign(motion.begin(), motion.end());
  result.notes = augment_notes(augmentation, notes, !motion.empty(), random, &result.semitones);
  if (!motion.empty())
    augment_motion(augmentation, result.motion, frames, sensors, quantities, deviations, random);
  return result;
}

}  // namespace imu2music::inline v0
