// A sensor that is a keypoint of a body: its places, in space or in a picture, and in which samples it was
// found.
#pragma once

#include <cmath>
#include <cstddef>

#include "imu2music/imu/interpolate.hpp"
#include "imu2music/imu/recording.hpp"

namespace imu2music::inline v0 {

class Keypoint {
 public:
  // Quantity::position in metres, or Quantity::image_position; of a sensor that has both, the preferred one.
  Keypoint(const SensorTrack& sensor, Quantity preferred)
      : sensor_(&sensor), place_(sensor.find(preferred)), sure_(sensor.find(Quantity::confidence)) {
    if (place_ == nullptr)
      place_ = sensor.find(preferred == Quantity::position ? Quantity::image_position : Quantity::position);
  }

  const SensorTrack& sensor() const { return *sensor_; }
  bool is_one() const { return place_ != nullptr; }  // the rest is of those that are
  bool in_picture() const { return place_->quantity == Quantity::image_position; }
  double place(int axis, std::size_t i) const { return static_cast<double>(place_->axis(axis)[i]); }
  // 0 (not found) to 1; 1 where the recording does not say.
  double confidence(std::size_t i) const {
    return sure_ == nullptr ? 1.0 : static_cast<double>(sure_->axis(0)[i]);
  }

  // Found in sample i.
  bool is_there(std::size_t i) const {
    return is_finite_sample(*place_, i) && std::isfinite(confidence(i)) && confidence(i) > 0;
  }
  bool is_ever_there() const {
    if (!is_one()) return false;
    for (std::size_t i = 0; i < place_->axis(0).size(); ++i)
      if (is_there(i)) return true;
    return false;
  }

 private:
  const SensorTrack* sensor_;
  const Channel* place_;
  const Channel* sure_;
};

}  // namespace imu2music::inline v0
