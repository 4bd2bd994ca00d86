// A step of Adam (Kingma and Ba 2015, arXiv:1412.6980, algorithm 1), with weight decay as part of the
// gradient or apart from it (AdamW: Loshchilov and Hutter 2019, arXiv:1711.05101, algorithm 2). For every
// element:
//
//   w  = weight w                                       weight = 1 - learning rate * decay (AdamW), else 1
//   g  = gradient_scale gradient + gradient_decay w     gradient_decay = decay (Adam), else 0
//   m += (1 - beta1) (g - m)
//   v  = beta2 v + (1 - beta2) g^2
//   w -= step_size m / (inverse_root sqrt(v) + eps)
//
// step_size = learning rate / (1 - beta1^step) and inverse_root = 1 / sqrt(1 - beta2^step) correct the
// moments' start from 0.
//
// And the sum of squares of a gradient, for its norm: of every stretch of `square_stretch` elements one sum,
// in double, of 16 partial sums (element i goes to number i mod 16), which are then added in halves: lane l
// += lane l + 8, + 4, + 2, + 1. A product of two floats is exact in double, so every column gives the same
// bits.
//
// On a device a step reads the factor that clips its gradients where clip() has left it, so nobody waits for
// the norm.
#pragma once

#include <cstdint>

#include "kernel_context.hpp"

namespace imu2music::inline v0::kernels {

template <class T>
struct AdamArguments {
  T* parameter = nullptr;
  const T* gradient = nullptr;
  T* first_moment = nullptr;   // m
  T* second_moment = nullptr;  // v
  T gradient_scale = 1, gradient_decay = 0, weight = 1;
  T beta2 = 0, one_minus_beta1 = 1, one_minus_beta2 = 1;
  T step_size = 0, inverse_root = 1, eps = 0;
  // On a device only, each or null: a factor beside gradient_scale, and where it is not a number nothing
  // changes; the gradient, to become zero; the parameter rounded to bfloat16, 16-bit words.
  const T* device_scale = nullptr;
  T* cleared = nullptr;
  void* rounded = nullptr;
};

// norm = sqrt(sum of `count` sums), added in an order that depends on their number alone;
// scale = limit / norm where limit > 0 and norm > limit, not a number where norm or a loss is not finite,
// else 1.
template <class T>
struct ClipArguments {
  const double* sums = nullptr;
  std::int64_t count = 0;
  const double* losses = nullptr;
  std::int64_t losses_count = 0;
  double limit = 0;
  double* norm = nullptr;
  T* scale = nullptr;
};

constexpr std::int64_t square_stretch = 4096;

template <class T>
struct AdamKernels {
  // Elements begin..end.
  void (*step)(const Context& context, const AdamArguments<T>& arguments, std::int64_t begin,
               std::int64_t end) = nullptr;
  // sums[s] of the stretches stretch_begin..stretch_end of the `count` elements x.
  void (*sums_of_squares)(const Context& context, const T* x, double* sums, std::int64_t count,
                          std::int64_t stretch_begin, std::int64_t stretch_end) = nullptr;
  // Null on the CPU, where the host does this.
  void (*clip)(const Context& context, const ClipArguments<T>& arguments) = nullptr;
};

}  // namespace imu2music::inline v0::kernels
