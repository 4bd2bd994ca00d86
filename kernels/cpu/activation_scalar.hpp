// The pointwise functions of activation.hpp for one number. NaN stays NaN, so a diverging network shows.
#pragma once

#include "../activation.hpp"

namespace imu2music::inline v0::kernels::scalar {

template <class T>
T activate(T x, Activation activation, T slope) {
  if (activation == Activation::relu) return x < 0 ? T(0) : x;
  if (activation == Activation::leaky_relu) return x > 0 ? x : slope * x;
  return x;
}

}  // namespace imu2music::inline v0::kernels::scalar
