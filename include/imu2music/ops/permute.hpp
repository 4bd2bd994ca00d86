// The axes of a tensor in another order: result axis i is axis order[i] of x. A copy; computes nothing.
//
// x: at most six axes; order: each axis once. Throws ShapeError.
#pragma once

#include <algorithm>
#include <array>
#include <initializer_list>
#include <span>

#include <cpu/strided_copy.hpp>

#include "imu2music/core/context.hpp"
#include "imu2music/core/tensor.hpp"
#include "imu2music/ops/check.hpp"

namespace imu2music::inline v0 {

template <class T>
Tensor<T> permute(Context& context, const Tensor<T>& x, std::span<const int> order) {
  std::array<std::int64_t, Shape::max_rank> strides{}, steps{}, index{};
  bool once = static_cast<int>(order.size()) == x.rank();
  std::array<bool, Shape::max_rank> seen{};
  std::int64_t stride = 1;
  for (int axis = x.rank() - 1; axis >= 0; --axis) {
    strides[static_cast<std::size_t>(axis)] = stride;
    stride *= x.dim(axis);
  }
  Shape shape;
  int rank = 0;
  for (int axis : order) {
    once = once && axis >= 0 && axis < x.rank() && !seen[static_cast<std::size_t>(axis)];
    detail::require(once, "permute",
                    [&] { return "the order must name each axis of " + x.shape().to_string() + " once"; });
    seen[static_cast<std::size_t>(axis)] = true;
    steps[static_cast<std::size_t>(rank++)] = strides[static_cast<std::size_t>(axis)];
    shape.push_back(x.dim(axis));
  }
  detail::require(once, "permute",
                  [&] { return "the order must name each axis of " + x.shape().to_string() + " once"; });
  Tensor<T> y = context.allocate<T>(shape);
  if (y.size() == 0) return y;
  if (context.on_device()) {
    kernels::StridedCopyArguments<T> arguments;
    arguments.x = x.data(), arguments.y = y.data(), arguments.rank = rank;
    std::int64_t y_stride = 1;
    for (int axis = rank - 1; axis >= 0; --axis) {
      arguments.size[axis] = shape[axis];
      arguments.x_stride[axis] = steps[static_cast<std::size_t>(axis)];
      arguments.y_stride[axis] = y_stride;
      y_stride *= shape[axis];
    }
    context.table<kernels::StridedCopyKernels<T>>().copy(context.kernel(), arguments);
    return y;
  }
  if (rank == 0) {
    y[0] = x[0];
    return y;
  }
  const std::int64_t run = shape[rank - 1], step = steps[static_cast<std::size_t>(rank - 1)];
  std::int64_t from = 0;
  for (std::int64_t to = 0; to < y.size(); to += run) {
    const T* source = x.data() + from;
    T* target = y.data() + to;
    if (step == 1)
      std::copy_n(source, run, target);
    else
      for (std::int64_t n = 0; n < run; ++n) target[n] = source[n * step];
    for (int axis = rank - 2; axis >= 0; --axis) {
      const auto a = static_cast<std::size_t>(axis);
      from += steps[a];
      if (++index[a] < shape[axis]) break;
      from -= steps[a] * shape[axis];
      index[a] = 0;
    }
  }
  return y;
}

template <class T>
Tensor<T> permute(Context& context, const Tensor<T>& x, std::initializer_list<int> order) {
  return permute(context, x, std::span<const int>(order.begin(), order.size()));
}

}  // namespace imu2music::inline v0
