// The inputs on which the reference's encoders were trained: features for the convolution encoder, and plain
// axes for the fully connected one.
//
//   feature[sensor, quantity, frame] = √( Σ_axis ((v − min) / (max − min))² )
//
//   sensors     myo1, myo2
//   quantities  rotation (rad), angular velocity (degrees/s), acceleration (m/s²), in this order
//   min         −4, −150, −20      max   4, 150, 20
//
//   axis[sensor, quantity · 3 + axis, frame] = v, in the same units, not normalised
//
// Shapes [2, 3, frames] and [2, 9, frames], frames at 25 Hz; a window of the model has 150 frames, 6 s.
// Values outside min … max are not clipped. Computed in double from the recording's SI units, rounded to
// float at the end. That a sensor at rest gives another value when gravity points the other way is a property
// of the reference.
//
// Cost: 18 multiply-adds a frame. Errors: InputError for a sensor or quantity that the recording lacks, a
// rate other than 25 Hz (see at_rate in resample.hpp), or a window beyond the recording's end; ShapeError for
// a wrong output size. Source: github.com/kiototeko/IMU2Music.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "imu2music/core/error.hpp"
#include "imu2music/imu/recording.hpp"

namespace imu2music::inline v0 {

inline constexpr double reference_rate_hz = 25.0;
inline constexpr std::int64_t reference_window_frames = 150;

struct ReferenceQuantity {
  Quantity quantity;
  double from_si;
  double min;
  double max;
};

inline constexpr std::array<ReferenceQuantity, 3> reference_quantities = {{
    {Quantity::rotation, 1.0, -4.0, 4.0},
    {Quantity::angular_velocity, 1.0 / radians_per_degree, -150.0, 150.0},
    {Quantity::acceleration, 1.0, -20.0, 20.0},
}};

inline constexpr std::array<std::string_view, 2> reference_sensors = {"myo1", "myo2"};

namespace reference_detail {

// The two armbands, each with the three quantities at 25 Hz.
inline std::array<const SensorTrack*, 2> find_armbands(const Recording& recording) {
  std::array<const SensorTrack*, 2> armbands{};
  for (std::size_t s = 0; s < 2; ++s) {
    const std::string name(reference_sensors[s]);
    const SensorTrack* sensor = recording.find_sensor(name);
    if (sensor == nullptr)
      throw InputError(recording.source,
                       "has no sensor " + name + "; its sensors: " + recording.sensor_names(),
                       "the reference features need myo1 and myo2: map sensors to them (--sensors "
                       "myo1=NAME,myo2=NAME)");
    for (const ReferenceQuantity& wanted : reference_quantities) {
      if (sensor->find(wanted.quantity) != nullptr) continue;
      std::string has;
      for (const Channel& channel : sensor->channels)
        has += (has.empty() ? "" : ", ") + std::string(to_string(channel.quantity));
      throw InputError(
          recording.source,
          "sensor " + name + " has no " + std::string(to_string(wanted.quantity)) + "; it has: " + has,
          "the reference features need rotation, angular velocity and acceleration");
    }
    if (!sensor->clock.is_uniform() || sensor->clock.rate_hz != reference_rate_hz)
      throw InputError(
          recording.source,
          "sensor " + name +
              (sensor->clock.is_uniform() ? " is at " + number_text(sensor->clock.rate_hz) + " Hz"
                                          : std::string(" has time stamps in place of a rate")),
          "the reference features need 25 Hz: resample it first");
    armbands[s] = sensor;
  }
  return armbands;
}

// The armbands' frames start_frame.. , `rows` values an armband and frame, as the two functions below say;
// each quantity's three numbers go to write(values, frame, out of that quantity and armband).
template <class Write>
void fill_window(const Recording& recording, std::int64_t start_frame, std::int64_t frames, std::int64_t rows,
                 std::span<float> out, std::int64_t available, const Write& write) {
  if (frames < 1 || static_cast<std::int64_t>(out.size()) / (2 * rows) != frames ||
      static_cast<std::int64_t>(out.size()) % (2 * rows) != 0)
    throw ShapeError("[reference_features] output has " + std::to_string(out.size()) + " values, (2, " +
                     std::to_string(rows) + ", " + std::to_string(frames) + ") wanted");
  const auto armbands = find_armbands(recording);
  if (start_frame < 0 || start_frame > available - frames)
    throw InputError(recording.source,
                     "has " + std::to_string(available) + " frames at 25 Hz, " + std::to_string(frames) +
                         " from frame " + std::to_string(start_frame) + " on are wanted",
                     available >= frames ? "start at a frame from 0 to " + std::to_string(available - frames)
                                         : std::string("use a longer recording"));
  float* first = out.data();
  for (const SensorTrack* armband : armbands)
    for (const ReferenceQuantity& wanted : reference_quantities) {
      const Channel& channel = *armband->find(wanted.quantity);
      for (std::int64_t frame = 0; frame < frames; ++frame) {
        const auto sample = static_cast<std::size_t>(start_frame + frame);
        std::array<double, 3> values{};
        for (int axis = 0; axis < 3; ++axis)
          values[static_cast<std::size_t>(axis)] =
              static_cast<double>(channel.axis(axis)[sample]) * wanted.from_si;
        write(wanted, values, frame, first);
      }
      first += rows / 3 * frames;
    }
}

}  // namespace reference_detail

// How many frames both armbands have.
inline std::int64_t reference_frame_count(const Recording& recording) {
  check_recording(recording);
  const auto armbands = reference_detail::find_armbands(recording);
  return std::min(armbands[0]->sample_count(), armbands[1]->sample_count());
}

// Fills out [2, 3, frames] with the features of the frames from `start_frame` on.
inline void reference_features(const Recording& recording, std::int64_t start_frame, std::int64_t frames,
                               std::span<float> out) {
  reference_detail::fill_window(recording, start_frame, frames, 3, out, reference_frame_count(recording),
                                [](const ReferenceQuantity& wanted, const std::array<double, 3>& values,
                                   std::int64_t frame, float* feature) {
                                  double squares = 0;
                                  for (double value : values) {
                                    const double scaled = (value - wanted.min) / (wanted.max - wanted.min);
                                    squares += scaled * scaled;
                                  }
                                  feature[frame] = static_cast<float>(std::sqrt(squares));
                                });
}

// Fills out [2, 9, frames] with the axes of the frames from `start_frame` on.
inline void reference_axes(const Recording& recording, std::int64_t start_frame, std::int64_t frames,
                           std::span<float> out) {
  reference_detail::fill_window(
      recording, start_frame, frames, 9, out, reference_frame_count(recording),
      [&](const ReferenceQuantity&, const std::array<double, 3>& values, std::int64_t frame, float* rows) {
        for (std::size_t axis = 0; axis < 3; ++axis)
          rows[static_cast<std::int64_t>(axis) * frames + frame] = static_cast<float>(values[axis]);
      });
}

}  // namespace imu2music::inline v0
