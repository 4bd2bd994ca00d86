// The pointwise functions of activation.hpp on the device.
#pragma once

#include "../activation.hpp"
#include "launch.cuh"

namespace imu2music::inline v0::kernels::cuda {

template <class T>
__device__ __forceinline__ T activate(T x, Activation activation, T slope) {
  if (activation == Activation::relu) return x < T(0) ? T(0) : x;
  if (activation == Activation::leaky_relu) return x > T(0) ? x : slope * x;
  return x;
}

}  // namespace imu2music::inline v0::kernels::cuda
