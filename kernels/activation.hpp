// The pointwise functions that a kernel can apply to its result before it is stored.
#pragma once

namespace imu2music::inline v0::kernels {

enum class Activation {
  none,
  relu,        // max(x, 0)
  leaky_relu,  // x for x > 0, slope * x otherwise
};

}  // namespace imu2music::inline v0::kernels
