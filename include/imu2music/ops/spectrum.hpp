// Magnitude spectra of rows' segments of `length` frames, under the Hann window (kernels/spectrum_table.hpp).
//
// x: [..., S length]; result: [..., S (length / 2 + 1)], segment after segment. Throws ShapeError.
#pragma once

#include <cmath>
#include <cpu/spectrum.hpp>
#include <numbers>

#include "imu2music/core/context.hpp"
#include "imu2music/core/tensor.hpp"
#include "imu2music/core/transfer.hpp"
#include "imu2music/ops/check.hpp"

namespace imu2music::inline v0 {

template <class T>
Tensor<T> spectrum(Context& context, const Tensor<T>& x, std::int64_t length) {
  detail::require(x.rank() >= 1 && length >= 1 && x.dim(-1) % length == 0, "spectrum", [&] {
    return "rows of " + x.shape().to_string() + " are no segments of " + std::to_string(length) + " frames";
  });
  Tensor<double> tables = Tensor<double>::uninitialised({3, length});  // window, cosine, sine
  const double turn = 2 * std::numbers::pi / static_cast<double>(length);
  for (std::int64_t n = 0; n < length; ++n) {
    const double angle = turn * static_cast<double>(n);
    tables[n] = (1 - std::cos(angle)) / static_cast<double>(length);
    tables[length + n] = std::cos(angle);
    tables[2 * length + n] = std::sin(angle);
  }
  const Tensor<double> there = on_device_of(context, tables);
  Shape shape;
  for (int axis = 0; axis + 1 < x.rank(); ++axis) shape.push_back(x.dim(axis));
  shape.push_back(x.dim(-1) / length * (length / 2 + 1));
  Tensor<T> y = context.allocate<T>(shape);
  kernels::SpectrumArguments<T> arguments;
  arguments.x = x.data(), arguments.y = y.data();
  arguments.window = there.data(), arguments.cosine = there.data() + length;
  arguments.sine = there.data() + 2 * length;
  arguments.length = length;
  context.table<kernels::SpectrumKernels<T>>().forward(context.kernel(), arguments, 0, x.size() / length);
  return y;
}

}  // namespace imu2music::inline v0
