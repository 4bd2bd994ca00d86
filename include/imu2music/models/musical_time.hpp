// What a decoder knows of musical time: positions of tokens on the scale of the motion's memory.
//
// A temporal encoder's memory token s stands at s / 12.5 s and carries the sinusoid of s. With time positions
// the token at musical time t (music/token_times.hpp) carries the sinusoid of u = 12.5 t, unrounded:
//
//   row[2 i] = sin(u / 10000^(2 i / D)),  row[2 i + 1] = cos(u / 10000^(2 i / D))
//
// so tokens of music and of motion at one time carry one position.
#pragma once

#include <cmath>
#include <cstdint>

#include "imu2music/core/context.hpp"
#include "imu2music/core/parallel.hpp"
#include "imu2music/core/tensor.hpp"
#include "imu2music/models/imu_encoders/temporal_encoder.hpp"
#include "imu2music/music/token_times.hpp"
#include "imu2music/ops/check.hpp"

namespace imu2music::inline v0 {

// times: any shape, N elements, s; result: [N, D].
template <class T>
Tensor<T> time_position_rows(Context& context, const Tensor<double>& times, std::int64_t D) {
  Tensor<double> rates = context.allocate<double>({(D + 1) / 2});
  for (std::int64_t i = 0; i < rates.size(); ++i)
    rates[i] = std::pow(10000.0, -static_cast<double>(2 * i) / static_cast<double>(D));
  Tensor<T> rows = context.allocate<T>({times.size(), D});
  constexpr std::int64_t operations = 40;  // of a sine
  parallel_for(context.threads(), times.size(), detail::grain_for(operations * D),
               [&](std::int64_t begin, std::int64_t end) {
                 for (std::int64_t n = begin; n < end; ++n) {
                   const double u = TemporalEncoder<T>::token_rate_hz * times[n];
                   T* row = rows.data() + n * D;
                   for (std::int64_t c = 0; c < D; ++c) {
                     const double angle = u * rates[c / 2];
                     row[c] = static_cast<T>(c % 2 == 0 ? std::sin(angle) : std::cos(angle));
                   }
                 }
               });
  return rows;
}

}  // namespace imu2music::inline v0
