// Dropout: every element is 0 with probability p, else x / (1 - p).
//
// Which ones is a function of (seed, stream, number of the element) alone: element n is kept where the n-th
// 32-bit word of Philox(seed, stream) (core/random.hpp) is at least floor(2^32 p). So the mask is never
// stored and the same call on dy is the gradient. Results are bit-exact for any number of threads. p in [0,
// 1); throws Error outside. Source: Srivastava et al. 2014, JMLR 15.
#pragma once

#include <cpu/dropout.hpp>

#include "imu2music/core/context.hpp"
#include "imu2music/core/parallel.hpp"
#include "imu2music/core/tensor.hpp"
#include "imu2music/ops/check.hpp"

namespace imu2music::inline v0 {

// For p = 0 the result is x itself.
template <class T>
Tensor<T> dropout(Context& context, const Tensor<T>& x, double p, std::uint64_t seed, std::uint64_t stream) {
  if (!(p >= 0 && p < 1))
    throw Error("[dropout] the rate must be at least 0 and below 1, not " + std::to_string(p));
  if (p == 0) return x;
  Tensor<T> y = context.allocate<T>(x.shape());
  kernels::DropoutArguments<T> arguments;
  arguments.x = x.data();
  arguments.y = y.data();
  arguments.seed = seed;
  arguments.stream = stream;
  arguments.threshold = static_cast<std::uint32_t>(p * 0x1p32);
  arguments.scale = static_cast<T>(1 / (1 - p));
  const auto& table = context.table<kernels::DropoutKernels<T>>();
  parallel_for(context.threads(), x.size(), detail::grain_for(4), [&](std::int64_t begin, std::int64_t end) {
    table.forward(context.kernel(), arguments, begin, end);
  });
  return y;
}

}  // namespace imu2music::inline v0
