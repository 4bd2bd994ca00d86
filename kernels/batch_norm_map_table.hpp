// Batch normalisation with given statistics as one affine map a channel:
//
//   scale[c] = gamma[c] / sqrt(variance[c] + eps),   shift[c] = beta[c] - mean[c] scale[c]
//
// All: [C]. In double, whatever T; scale is rounded where it is stored, not before shift is formed.
#pragma once

#include <cstdint>

#include "kernel_context.hpp"

namespace imu2music::inline v0::kernels {

template <class T>
struct BatchNormMapArguments {
  const T* gamma = nullptr;
  const T* beta = nullptr;
  const T* mean = nullptr;
  const T* variance = nullptr;
  T* scale = nullptr;
  T* shift = nullptr;
  double eps = 0;
};

template <class T>
struct BatchNormMapKernels {
  // Channels c_begin..c_end.
  void (*forward)(const Context& context, const BatchNormMapArguments<T>& arguments, std::int64_t c_begin,
                  std::int64_t c_end) = nullptr;
};

}  // namespace imu2music::inline v0::kernels
