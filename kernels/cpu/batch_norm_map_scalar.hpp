// Batch normalisation as an affine map. The one CPU column: two numbers a channel, whatever the batch.
#pragma once

#include <cmath>

#include "../batch_norm_map_table.hpp"
#include "isa.hpp"

namespace imu2music::inline v0::kernels {

namespace scalar {

template <class T>
void batch_norm_map(const Context&, const BatchNormMapArguments<T>& a, std::int64_t c_begin,
                    std::int64_t c_end) {
  for (std::int64_t c = c_begin; c < c_end; ++c) {
    const double scale =
        static_cast<double>(a.gamma[c]) / std::sqrt(static_cast<double>(a.variance[c]) + a.eps);
    a.scale[c] = static_cast<T>(scale);
    a.shift[c] = static_cast<T>(static_cast<double>(a.beta[c]) - static_cast<double>(a.mean[c]) * scale);
  }
}

}  // namespace scalar

template <class T>
void install(ScalarTag, BatchNormMapKernels<T>& table) {
  table.forward = &scalar::batch_norm_map<T>;
}

}  // namespace imu2music::inline v0::kernels
