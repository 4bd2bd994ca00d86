// IMU2Music's fully connected encoder: six seconds of two armbands become 9 memory tokens, one an axis.
//
//   input   [B, 2, 9, 150]: sensor; rotation, gyro, acceleration with axes x, y, z each, not normalised (rad,
//           degrees/s, m/s^2; imu/reference_features.hpp: reference_axes); frame at 25 Hz
//   Conv2d 2→1, 3x3 padded by 1, BN, LeakyReLU .01 → [B, 1, 9, 150]; Linear 150→D along time → [B, 9, D]
//
// Evaluation mode: the batch norm uses its running statistics. Throws ShapeError for an input of another
// shape. Source: github kiototeko/IMU2Music.
#pragma once

#include <cstdint>
#include <string>

#include "imu2music/core/context.hpp"
#include "imu2music/nn/batch_norm.hpp"
#include "imu2music/nn/conv.hpp"
#include "imu2music/nn/linear.hpp"

namespace imu2music::inline v0 {

template <class T>
struct FullyConnectedEncoder {
  static constexpr std::int64_t sensors = 2, axes = 9, frames = 150, tokens = axes;

  Linear<T> fcn;
  Conv2d<T> conv;
  BatchNorm<T> bn;

  FullyConnectedEncoder() = default;
  explicit FullyConnectedEncoder(std::int64_t D)
      : fcn(frames, D), conv(sensors, 1, 3, 3, {.pad_h = 1, .pad_w = 1}), bn(1) {}

  bool takes(const Shape& input) const {
    return input.rank() == 4 && input[0] >= 1 && input == Shape{input[0], sensors, axes, frames};
  }
  std::string wanted() const { return "(B, 2, 9, 150): sensors, axes, frames"; }

  // input: [B, 2, 9, 150] → [B, 9, D].
  template <class V>
  V forward(Context& context, const V& input) const {
    detail::require(takes(input.shape()), "fully_connected_encoder",
                    [&] { return "the input must be " + wanted() + "; not " + input.shape().to_string(); });
    const V x = conv.forward(context, input, bn, Activation::leaky_relu, 0.01);
    return fcn.forward(context, x.reshape({input.dim(0), axes, frames}));
  }

  template <class Visitor>
  void visit(Visitor& visitor, const std::string& prefix) {
    fcn.visit(visitor, prefix + "fcn.");
    conv.visit(visitor, prefix + "conv.");
    bn.visit(visitor, prefix + "bn.");
  }
};

}  // namespace imu2music::inline v0
