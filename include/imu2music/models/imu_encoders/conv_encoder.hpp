// IMU2Music's convolutional encoder: six seconds of two armbands become 27 memory tokens.
//
//   input    [B, 2, 3, 150]: sensor, feature (rotation, gyro, acceleration; imu/reference_features.hpp),
//            frame at 25 Hz
//   each     Conv2d 1→3 (3,2), BN, ReLU; 3→6 (1,3), BN, ReLU; 6→9 (1,2), BN, ReLU; flattened to 1314
//   stacked  [B, 1, 2, 1314]: Conv2d 1→3 (2,2), BN, ReLU; 3→9 (1,3) stride 2, BN, ReLU; 9→27 (1,2), BN,
//            ReLU
//   output   [B, 27, 655] → Linear 655→D → [B, 27, D]
//
// In evaluation mode batch norms use their running statistics and are folded into the convolutions; in
// training mode dropout follows the first two layers of each branch. The 27 tokens are convolution channels
// and have no time axis (a property of the published model, kept for its weights). `frames` is 150 but for
// the frequency encoder, which runs these layers on spectra. Throws ShapeError for an input of another shape.
// Source: github kiototeko/IMU2Music, the default IMU network.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>

#include "imu2music/core/context.hpp"
#include "imu2music/nn/batch_norm.hpp"
#include "imu2music/nn/conv.hpp"
#include "imu2music/nn/linear.hpp"
#include "imu2music/ops/concatenate.hpp"
#include "imu2music/ops/permute.hpp"

namespace imu2music::inline v0 {

// Three times convolution, batch norm, ReLU. The state_dict counts the dropouts between them too: 0, 1; 4, 5;
// 8, 9.
template <class T>
struct ConvEncoderBranch {
  Conv2d<T> conv[3];
  BatchNorm<T> norm[3];

  template <class V>
  V forward(Context& context, V x) const {
    for (int i = 0; i < 3; ++i) {
      x = conv[i].forward(context, x, norm[i], Activation::relu);
      if (i < 2) x = dropout(context, x, DropoutPlace::encoder);
    }
    return x;
  }

  template <class Visitor>
  void visit(Visitor& visitor, const std::string& prefix) {
    for (int i = 0; i < 3; ++i) {
      conv[i].visit(visitor, prefix + std::to_string(4 * i) + ".");
      norm[i].visit(visitor, prefix + std::to_string(4 * i + 1) + ".");
    }
  }
};

template <class T>
struct ConvEncoder {
  static constexpr std::int64_t sensors = 2, features = 3, tokens = 27;

  std::int64_t frames = 150;
  ConvEncoderBranch<T> individual_net1, individual_net2, combined_net;
  Linear<T> fcn;

  // A branch's kernels take 4 frames away and leave 9 channels; the combined net takes 1, strides by 2 over
  // 3, and takes 1 more.
  static constexpr std::int64_t branch_width(std::int64_t frames) { return 9 * (frames - 4); }
  static constexpr std::int64_t token_width(std::int64_t frames) {
    return (branch_width(frames) - 1 - 3) / 2 + 1 - 1;
  }

  ConvEncoder() = default;
  explicit ConvEncoder(std::int64_t D, std::int64_t frame_count = 150)
      : frames(frame_count), fcn(token_width(frame_count), D) {
    for (ConvEncoderBranch<T>* branch : {&individual_net1, &individual_net2}) {
      branch->conv[0] = Conv2d<T>(1, 3, 3, 2);
      branch->conv[1] = Conv2d<T>(3, 6, 1, 3);
      branch->conv[2] = Conv2d<T>(6, 9, 1, 2);
    }
    combined_net.conv[0] = Conv2d<T>(1, 3, 2, 2);
    combined_net.conv[1] = Conv2d<T>(3, 9, 1, 3, {.stride_h = 2, .stride_w = 2});
    combined_net.conv[2] = Conv2d<T>(9, tokens, 1, 2);
    for (ConvEncoderBranch<T>* branch : {&individual_net1, &individual_net2, &combined_net})
      for (int i = 0; i < 3; ++i) branch->norm[i] = BatchNorm<T>(branch->conv[i].weight.shape[0]);
  }

  bool takes(const Shape& input) const {
    return input.rank() == 4 && input[0] >= 1 && input == Shape{input[0], sensors, features, frames};
  }
  std::string wanted() const {
    return "(B, 2, 3, " + std::to_string(frames) + "): sensors, features, frames";
  }

  // input: [B, 2, 3, frames] → [B, 27, D].
  template <class V>
  V forward(Context& context, const V& input) const {
    detail::require(takes(input.shape()), "conv_encoder",
                    [&] { return "the input must be " + wanted() + "; not " + input.shape().to_string(); });
    const std::int64_t B = input.dim(0);
    const V by_sensor = permute(context, input, {1, 0, 2, 3});
    const auto branch = [&](const ConvEncoderBranch<T>& net, std::int64_t sensor) {
      const V one = by_sensor.slice(sensor, 1).reshape({B, 1, features, frames});
      return net.forward(context, one).reshape({B, 1, 1, branch_width(frames)});
    };
    const std::array<V, sensors> branches = {branch(individual_net1, 0), branch(individual_net2, 1)};
    const V stacked = concatenate(context, std::span<const V>(branches), 2);
    const V combined = combined_net.forward(context, stacked);  // [B, 27, 1, 655]
    return fcn.forward(context, combined.reshape({B, tokens, token_width(frames)}));
  }

  template <class Visitor>
  void visit(Visitor& visitor, const std::string& prefix) {
    individual_net1.visit(visitor, prefix + "individual_net1.");
    individual_net2.visit(visitor, prefix + "individual_net2.");
    combined_net.visit(visitor, prefix + "combined_net.");
    fcn.visit(visitor, prefix + "fcn.");
  }
};

}  // namespace imu2music::inline v0
