// One-dimensional cross-correlation, AVX2 and FMA: the two-dimensional one's rows (conv2d_avx2.hpp) of planes
// one row high, whose neighbouring weights are `dilation` inputs apart. Each output adds its products in the
// order of c, u, padding included, so a frame computed by itself has the bits that it has among others.
#pragma once

#include "../conv1d_table.hpp"
#include "conv2d_avx2.hpp"

#if IMU2MUSIC_X86
namespace imu2music::inline v0::kernels {

namespace avx2 {
IMU2MUSIC_TARGET_AVX2_BEGIN

inline void conv1d_forward(const Context&, const Conv1dArguments<float>& arguments, std::int64_t plane_begin,
                           std::int64_t plane_end) {
  Conv2dOperands a{};
  a.x = arguments.x;
  a.w = arguments.w;
  a.bias = arguments.bias;
  a.y = arguments.y;
  a.C = arguments.C;
  a.H = a.kernel_h = a.out_h = 1;
  a.W = arguments.L;
  a.O = arguments.O;
  a.kernel_w = arguments.kernel;
  a.step = arguments.dilation;
  a.stride_w = arguments.stride;
  a.pad_w = arguments.pad_left;
  a.out_w = arguments.out;
  a.activation = arguments.activation;
  a.slope = arguments.slope;
  conv2d_planes(a, plane_begin, plane_end);
}

IMU2MUSIC_TARGET_END
}  // namespace avx2

inline void install(Avx2Tag, Conv1dKernels<float>& table) { table.forward = &avx2::conv1d_forward; }

}  // namespace imu2music::inline v0::kernels
#endif
