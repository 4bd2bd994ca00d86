// From a file's time stamps to a recording's clock.
//
// make_clock(times, path) takes one stamp a sample, in seconds, as the file has them, and
//   - sets the first to 0, or counts from `origin_s` where one is given;
//   - finds every place where they fall: a reset. From there on they are shifted, so that the clock goes on
//   by
//     the usual interval, and the reset is kept in Clock::resets;
//   - gives a uniform clock where all stamps lie within 1/1000 of an interval of an even grid; otherwise one
//     with time stamps.
//
// usual_interval(times) is the median of the intervals above 0: what a gap is measured against.
// native_rate_hz(clock) is the rate of the samples between gaps: ordinary intervals over the time they take,
// where an interval of up to gap_factor = 2.5 usual ones is ordinary. It tells 52.3 Hz from stamps in whole
// milliseconds (18, 19, 20 …), which a median alone cannot.
//
// Cost: O(n), 8 bytes a sample. Errors: InputError for fewer than two samples, stamps that span more than
// 10⁹ s, a clock that stands still, or one that falls at more than a tenth of its samples.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "imu2music/core/error.hpp"
#include "imu2music/imu/recording.hpp"

namespace imu2music::inline v0 {

inline constexpr double gap_factor = 2.5;

// 0 where no interval is above 0.
inline double usual_interval(std::span<const double> times) {
  std::vector<double> intervals;
  intervals.reserve(times.size());
  for (std::size_t i = 1; i < times.size(); ++i)
    if (times[i] > times[i - 1]) intervals.push_back(times[i] - times[i - 1]);
  if (intervals.empty()) return 0;
  const auto middle = intervals.begin() + static_cast<std::ptrdiff_t>(intervals.size() / 2);
  std::nth_element(intervals.begin(), middle, intervals.end());
  return *middle;
}

inline double native_rate_hz(const Clock& clock) {
  if (clock.is_uniform()) return clock.rate_hz;
  const double longest = gap_factor * usual_interval(clock.times_s);
  double sum = 0;
  std::int64_t count = 0;
  for (std::size_t i = 1; i < clock.times_s.size(); ++i) {
    const double interval = clock.times_s[i] - clock.times_s[i - 1];
    if (interval > longest) continue;
    sum += interval;
    ++count;
  }
  return sum > 0 ? static_cast<double>(count) / sum : 0;
}

inline Clock make_clock(std::vector<double> times, const std::string& path,
                        std::optional<double> origin_s = std::nullopt) {
  const std::size_t n = times.size();
  if (n == 0) throw InputError(path, "holds no samples", "a recording needs two samples or more");
  if (n == 1)
    throw InputError(path, "holds one sample, from which no rate can be told",
                     "a recording needs two samples or more");
  constexpr double longest_span_s = 1e9;
  const double origin = origin_s.value_or(times.front());
  for (double& time : times) {
    time -= origin;
    if (!(std::abs(time) < longest_span_s))
      throw InputError(path, "its time stamps span more than 1e9 s", "check the unit of its time column");
  }
  const double usual = usual_interval(times);
  if (usual <= 0)
    throw InputError(path, "its clock never goes forward",
                     "the time stamps should rise from sample to sample");

  Clock clock;
  double shift = 0;
  double before = times.front();  // as the file has it
  for (std::size_t i = 1; i < n; ++i) {
    const double now = times[i];
    if (now < before) {
      clock.resets.push_back({static_cast<std::int64_t>(i), before - now});
      shift = times[i - 1] + usual - now;
    }
    before = now;
    times[i] = now + shift;
  }
  if (clock.resets.size() > n / 10)
    throw InputError(path,
                     "its clock runs backwards at " + std::to_string(clock.resets.size()) + " of " +
                         std::to_string(n) + " samples",
                     "the time stamps should rise from sample to sample");

  const double first = times.front();
  const double even = (times.back() - first) / static_cast<double>(n - 1);
  bool uniform = clock.resets.empty();
  for (std::size_t i = 0; i < n && uniform; ++i)
    uniform = std::abs(times[i] - first - static_cast<double>(i) * even) <= 1e-3 * even;
  if (uniform) {
    clock.start_s = first;
    clock.rate_hz = 1 / even;
    const double whole = std::round(clock.rate_hz);
    if (std::abs(clock.rate_hz - whole) < 1e-6 * whole) clock.rate_hz = whole;
  } else {
    clock.times_s = std::move(times);
  }
  return clock;
}

}  // namespace imu2music::inline v0
