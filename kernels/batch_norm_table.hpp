// Batch normalisation in evaluation mode (Ioffe and Szegedy 2015, arXiv:1502.03167), one affine map a
// channel:
//
//   y[b][c][i] = activation(x[b][c][i] scale[c] + shift[c])
//   scale = gamma / sqrt(running var + eps), shift = beta - running mean * scale
//
// x, y: [B, C, P], P = all inner axes together, a plane; scale, shift: [C]; y may be x.
#pragma once

#include <cstdint>

#include "activation.hpp"
#include "kernel_context.hpp"

namespace imu2music::inline v0::kernels {

template <class T>
struct BatchNormKernels {
  // Planes plane_begin..plane_end, where plane = b C + c.
  void (*forward)(const Context& context, const T* x, const T* scale, const T* shift, T* y,
                  std::int64_t plane_begin, std::int64_t plane_end, std::int64_t C, std::int64_t P,
                  Activation activation, T slope) = nullptr;
};

}  // namespace imu2music::inline v0::kernels
