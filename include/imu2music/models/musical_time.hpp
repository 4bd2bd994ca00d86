// What a decoder knows of musical time: positions of tokens on the scale of the motion's memory.
//
// A temporal encoder's memory token s stands at s / 12.5 s and carries the sinusoid of s. With time positions
// the token at musical time t (music/token_times.hpp) carries the sinusoid of u = 12.5 t, unrounded:
//
//   row[2 i] = sin(u / 10000^(2 i / D)),  row[2 i + 1] = cos(u / 10000^(2 i / D))
//
// so tokens of music and of motion at one time carry one position.
//
// With a bounded sight the token at time t sees the memory tokens s of S with
//
//   t − lookback ≤ s / 12.5 ≤ t + lookahead
//
// and at least the one nearest to t. A bound of ModelConfig::unbounded_ms is none.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "imu2music/core/context.hpp"
#include "imu2music/core/parallel.hpp"
#include "imu2music/core/tensor.hpp"
#include "imu2music/io/model_config.hpp"
#include "imu2music/models/imu_encoders/temporal_encoder.hpp"
#include "imu2music/music/token_times.hpp"
#include "imu2music/nn/attention.hpp"
#include "imu2music/ops/check.hpp"
#include "imu2music/ops/relative_attention.hpp"
#include "imu2music/ops/sinusoids.hpp"

namespace imu2music::inline v0 {

// 10000^(-2 i / D), i = 0..ceil(D / 2) - 1.
inline Tensor<double> position_rates(std::int64_t D) {
  Tensor<double> rates({(D + 1) / 2});
  for (std::int64_t i = 0; i < rates.size(); ++i)
    rates[i] = std::pow(10000.0, -static_cast<double>(2 * i) / static_cast<double>(D));
  return rates;
}

// times: any shape, N elements, s; rates: position_rates(D); result: [N, D].
template <class T>
Tensor<T> time_position_rows(Context& context, const Tensor<double>& times, const Tensor<double>& rates,
                             std::int64_t D) {
  Tensor<double> u = context.allocate_on_host<double>(times.shape());
  for (std::int64_t n = 0; n < u.size(); ++n) u[n] = TemporalEncoder<T>::token_rate_hz * times[n];
  return sinusoids<T>(context, u, rates, D);
}

// What the token at time_s sees of S memory tokens.
inline KeyRange memory_range(double time_s, std::int64_t S, const ModelConfig& config) {
  constexpr double rate = TemporalEncoder<float>::token_rate_hz, rounding = 1e-9;
  const auto last_token = static_cast<double>(S - 1);
  double first = 0, last = last_token;
  if (config.lookback_ms < ModelConfig::unbounded_ms)
    first = std::max(first, std::ceil(rate * (time_s - 1e-3 * config.lookback_ms) - rounding));
  if (config.lookahead_ms < ModelConfig::unbounded_ms)
    last = std::min(last, std::floor(rate * (time_s + 1e-3 * config.lookahead_ms) + rounding));
  if (first > last) first = last = std::clamp(std::round(rate * time_s), 0.0, last_token);
  return {static_cast<std::int32_t>(first), static_cast<std::int32_t>(last) + 1};
}

// The same for every token; undefined where the config does not bound what they see. ids: [B, T].
inline KeyRanges memory_ranges(Context& context, const Tensor<std::int64_t>& ids, std::int64_t S,
                               const ModelConfig& config) {
  if (!config.bounds_sight()) return {};
  const Tensor<double> times = token_times(ids);
  KeyRanges ranges{context.allocate_on_host<std::int32_t>(times.shape()),
                   context.allocate_on_host<std::int32_t>(times.shape())};
  for (std::int64_t n = 0; n < times.size(); ++n) {
    const KeyRange range = memory_range(times[n], S, config);
    ranges.first[n] = range.first;
    ranges.last[n] = range.last;
  }
  return ranges;
}

}  // namespace imu2music::inline v0
