// The learning rate of a step, s = 1, 2, …:
//
//   constant             peak
//   inverse_square_root  peak min(s / warmup, sqrt(warmup / s))       (Vaswani et al. 2017, section 5.3)
//   cosine               peak s / warmup up to warmup, then from peak down to `last` along half a cosine at
//                        step `steps` (Loshchilov and Hutter 2017, arXiv:1608.03983), `last` from there on
//
// constant with a warm-up rises linearly too. Foley Music's rate, d^-0.5 min(s^-0.5, s 4000^-1.5), is
// inverse_square_root with warmup 4000 and peak (4000 d)^-0.5.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numbers>

namespace imu2music::inline v0 {

struct Schedule {
  enum class Kind { constant, inverse_square_root, cosine } kind = Kind::constant;
  double peak = 3e-4;
  std::int64_t warmup = 0;  // steps; inverse_square_root needs 1 at least
  std::int64_t steps = 0;   // of cosine: where the fall ends
  double last = 0;          // of cosine
};

inline double learning_rate(const Schedule& schedule, std::int64_t step) {
  const auto s = static_cast<double>(std::max<std::int64_t>(step, 1));
  const auto warmup = static_cast<double>(schedule.warmup);
  const double rise = schedule.warmup > 0 ? std::min(1.0, s / warmup) : 1.0;
  switch (schedule.kind) {
    case Schedule::Kind::constant:
      return schedule.peak * rise;
    case Schedule::Kind::inverse_square_root:
      return schedule.peak * std::min(s / std::max(warmup, 1.0), std::sqrt(std::max(warmup, 1.0) / s));
    case Schedule::Kind::cosine: {
      if (rise < 1) return schedule.peak * rise;
      const double length = std::max(static_cast<double>(schedule.steps) - warmup, 1.0);
      const double done = std::clamp((s - warmup) / length, 0.0, 1.0);
      return schedule.last + (schedule.peak - schedule.last) * (1 + std::cos(std::numbers::pi * done)) / 2;
    }
  }
  return schedule.peak;
}

}  // namespace imu2music::inline v0
