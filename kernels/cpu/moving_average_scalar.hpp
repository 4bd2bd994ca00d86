// Running statistics, portable.
#pragma once

#include "../moving_average_table.hpp"
#include "isa.hpp"

namespace imu2music::inline v0::kernels {

namespace scalar {

template <class T>
void moving_average_update(const Context&, const T* x, T* y, std::int64_t n_begin, std::int64_t n_end,
                           double keep, double take) {
  for (std::int64_t n = n_begin; n < n_end; ++n)
    y[n] = static_cast<T>(keep * static_cast<double>(y[n]) + take * static_cast<double>(x[n]));
}

}  // namespace scalar

template <class T>
void install(ScalarTag, MovingAverageKernels<T>& table) {
  table.update = &scalar::moving_average_update<T>;
}

}  // namespace imu2music::inline v0::kernels
