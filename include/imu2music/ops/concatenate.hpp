// Tensors side by side along one axis. A copy; computes nothing.
//
// parts: one at least, alike in all axes but `axis`, which may count from the end. Throws ShapeError.
#pragma once

#include <algorithm>
#include <span>

#include <cpu/strided_copy.hpp>

#include "imu2music/core/context.hpp"
#include "imu2music/core/tensor.hpp"
#include "imu2music/ops/check.hpp"

namespace imu2music::inline v0 {

template <class T>
Tensor<T> concatenate(Context& context, std::span<const Tensor<T>> parts, int axis) {
  detail::require(!parts.empty() && parts[0].rank() >= 1, "concatenate",
                  [] { return std::string("there is nothing to put side by side"); });
  const int rank = parts[0].rank();
  if (axis < 0) axis += rank;
  detail::require(axis >= 0 && axis < rank, "concatenate",
                  [&] { return "there is no such axis in " + parts[0].shape().to_string(); });
  std::int64_t total = 0;
  for (const Tensor<T>& part : parts) {
    bool fits = part.rank() == rank;
    for (int i = 0; fits && i < rank; ++i) fits = i == axis || part.dim(i) == parts[0].dim(i);
    detail::require(fits, "concatenate", [&] {
      return parts[0].shape().to_string() + " and " + part.shape().to_string() +
             " differ in more than axis " + std::to_string(axis);
    });
    total += part.dim(axis);
  }
  Shape shape;
  std::int64_t outer = 1, inner = 1;
  for (int i = 0; i < rank; ++i) {
    shape.push_back(i == axis ? total : parts[0].dim(i));
    if (i < axis) outer *= parts[0].dim(i);
    if (i > axis) inner *= parts[0].dim(i);
  }
  Tensor<T> y = context.allocate<T>(shape);
  std::int64_t first = 0;
  for (const Tensor<T>& part : parts) {
    const std::int64_t run = part.dim(axis) * inner;
    if (context.on_device()) {
      kernels::StridedCopyArguments<T> arguments;
      arguments.x = part.data(), arguments.y = y.data() + first, arguments.rank = 2;
      arguments.size[0] = outer, arguments.size[1] = run;
      arguments.x_stride[0] = run, arguments.x_stride[1] = 1;
      arguments.y_stride[0] = total * inner, arguments.y_stride[1] = 1;
      context.table<kernels::StridedCopyKernels<T>>().copy(context.kernel(), arguments);
      first += run;
      continue;
    }
    for (std::int64_t n = 0; n < outer; ++n)
      std::copy_n(part.data() + n * run, run, y.data() + n * total * inner + first);
    first += run;
  }
  return y;
}

}  // namespace imu2music::inline v0
