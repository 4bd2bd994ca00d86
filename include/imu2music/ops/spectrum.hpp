// Magnitude spectra of rows' segments of `length` frames, under the Hann window (kernels/spectrum_table.hpp).
//
// x: [..., S length]; result: [..., S (length / 2 + 1)], segment after segment; length >= 1. Throws
// ShapeError.
#pragma once

#include <cmath>
#include <cpu/spectrum.hpp>
#include <numbers>

#include "imu2music/core/context.hpp"
#include "imu2music/core/tensor.hpp"
#include "imu2music/core/transfer.hpp"
#include "imu2music/ops/check.hpp"

namespace imu2music::inline v0 {

// What segments of one length are multiplied with, as the kernels want it.
struct SpectrumTables {
  std::int64_t length;
  Tensor<double> waveforms;  // [3, length]: the window, cosines, sines
  Tensor<double> waves;      // [length, 2, spectrum_stride]: cosines and sines of every bin

  // Throws ShapeError for a length below 1.
  explicit SpectrumTables(std::int64_t L)
      : length(at_least_one(L)), waveforms({3, L}), waves({L, 2, kernels::spectrum_stride(L)}) {
    const double turn = 2 * std::numbers::pi / static_cast<double>(L);
    for (std::int64_t n = 0; n < L; ++n) {
      const double angle = turn * static_cast<double>(n);
      waveforms[n] = (1 - std::cos(angle)) / static_cast<double>(L);
      waveforms[L + n] = std::cos(angle);
      waveforms[2 * L + n] = std::sin(angle);
    }
    const std::int64_t stride = waves.dim(2);
    for (std::int64_t n = 0; n < L; ++n)
      for (std::int64_t k = 0; k <= L / 2; ++k) {
        waves[2 * n * stride + k] = waveforms[L + k * n % L];
        waves[(2 * n + 1) * stride + k] = waveforms[2 * L + k * n % L];
      }
  }

 private:
  static std::int64_t at_least_one(std::int64_t L) {
    detail::require(L >= 1, "spectrum",
                    [&] { return "segments of " + std::to_string(L) + " frames have no spectrum"; });
    return L;
  }
};

template <class T>
Tensor<T> spectrum(Context& context, const Tensor<T>& x, const SpectrumTables& tables) {
  const std::int64_t length = tables.length;
  detail::require(x.rank() >= 1 && x.dim(-1) % length == 0, "spectrum", [&] {
    return "rows of " + x.shape().to_string() + " are no segments of " + std::to_string(length) + " frames";
  });
  const Tensor<double> there = on_device_of(context, tables.waveforms);
  Shape shape;
  for (int axis = 0; axis + 1 < x.rank(); ++axis) shape.push_back(x.dim(axis));
  shape.push_back(x.dim(-1) / length * (length / 2 + 1));
  Tensor<T> y = context.allocate<T>(shape);
  kernels::SpectrumArguments<T> arguments;
  arguments.x = x.data(), arguments.y = y.data();
  arguments.window = there.data(), arguments.cosine = there.data() + length;
  arguments.sine = there.data() + 2 * length;
  arguments.waves = tables.waves.data();
  arguments.length = length;
  context.table<kernels::SpectrumKernels<T>>().forward(context.kernel(), arguments, 0, x.size() / length);
  return y;
}

}  // namespace imu2music::inline v0
