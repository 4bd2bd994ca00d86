// Adam, portable: the truth for the other columns.
#pragma once

#include <cmath>

#include "../adam_table.hpp"
#include "isa.hpp"

namespace imu2music::inline v0::kernels {

namespace scalar {

template <class T>
void adam_step(const Context&, const AdamArguments<T>& a, std::int64_t begin, std::int64_t end) {
  for (std::int64_t i = begin; i < end; ++i) {
    const T w = a.weight * a.parameter[i];
    const T g = a.gradient_scale * a.gradient[i] + a.gradient_decay * w;
    const T m = a.first_moment[i] + a.one_minus_beta1 * (g - a.first_moment[i]);
    const T v = a.beta2 * a.second_moment[i] + a.one_minus_beta2 * g * g;
    a.first_moment[i] = m;
    a.second_moment[i] = v;
    a.parameter[i] = w - a.step_size * m / (a.inverse_root * std::sqrt(v) + a.eps);
  }
}

template <class T>
void sums_of_squares(const Context&, const T* x, double* sums, std::int64_t count, std::int64_t stretch_begin,
                     std::int64_t stretch_end) {
  constexpr int lanes = 16;
  for (std::int64_t stretch = stretch_begin; stretch < stretch_end; ++stretch) {
    double parts[lanes] = {};
    const std::int64_t begin = stretch * square_stretch;
    const std::int64_t end = begin + square_stretch < count ? begin + square_stretch : count;
    for (std::int64_t i = begin; i < end; ++i) {
      const double value = static_cast<double>(x[i]);
      parts[(i - begin) % lanes] += value * value;
    }
    for (int half = lanes / 2; half > 0; half /= 2)
      for (int lane = 0; lane < half; ++lane) parts[lane] += parts[lane + half];
    sums[stretch] = parts[0];
  }
}

}  // namespace scalar

template <class T>
void install(ScalarTag, AdamKernels<T>& table) {
  table.step = &scalar::adam_step<T>;
  table.sums_of_squares = &scalar::sums_of_squares<T>;
}

}  // namespace imu2music::inline v0::kernels
