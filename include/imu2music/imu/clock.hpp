// From a file's time stamps to a recording's clock.
//
// make_clock(times, path) takes one stamp a sample, in seconds, as the file has them, and
//   - sets the first to 0, or counts from `origin_s` where one is given;
//   - tells samples out of order from resets wherever the stamps fall. Out of order are up to 8 samples that
//     stand below the stamps before them, until a stamp exceeds those again or none follows, where so many
//     samples fit into the time that they share with their neighbours: by up to 8 usual intervals, or by up
//     to 256 samples, whatever gap lies between those, where the next stamp goes on from where the clock had
//     been. Their order in time is told in StampReport::order, for the caller to bring its samples into;
//   - takes every other fall for a reset: from there on the stamps are shifted, so that the clock goes on by
//     the usual interval, and the reset is kept in Clock::resets;
//   - spreads samples that came in bunches, where more than a tenth of the intervals lies within them: evenly
//     up to the next bunch, over the usual interval where that one lies beyond a gap, and the last bunch at
//     the spacing of the one before it, within the usual interval; where three quarters of the bunches have
//     as many samples, one that takes 1.75 times as long as they do is followed by a gap, for the next was
//     lost, unless that one brings more. A first bunch that is not whole stands before the second, at its
//     spacing. A bunch are samples with one stamp, or with stamps within a third of the time of a sample, the
//     median over sixteen, from one to the next and a pause before or after them, so that the bunch and its
//     pause take at least half of the time that so many samples do: a sensor that is fast for more than a
//     handful of samples has no pause. With fewer, samples keep the stamp that they share;
//   - gives a uniform clock where all stamps lie within 1/1000 of an interval of an even grid; otherwise one
//     with time stamps.
//
// usual_interval(times) is the median of the intervals above 0: what a gap is measured against. Where more
// than a quarter of them is longer than 2.5 medians, these are no gaps, as of packets of two samples: it is
// then the mean of all but the gaps of such a clock.
// native_rate_hz(clock) is the rate of the samples between gaps: ordinary intervals over the time they take,
// where an interval of up to gap_factor = 2.5 usual ones is ordinary. It tells 52.3 Hz from stamps in whole
// milliseconds (18, 19, 20 …), which a median alone cannot.
//
// Cost: O(n), 16 bytes a sample, up to 40 where stamps come in bunches; O(n log n) and 8 bytes more where
// samples are out of order. Errors: InputError for fewer than two samples, stamps that span more than 10⁹ s
// or lie less than 10⁻⁹ s apart, a clock that never goes forward, one that stands still, which has one stamp
// at more than a tenth of its samples and at more than 16, or one that falls at more than a tenth of its
// samples.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <map>
#include <numeric>
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
  const double median = *middle;
  const auto longer = std::count_if(intervals.begin(), intervals.end(),
                                    [&](double interval) { return interval > gap_factor * median; });
  if (static_cast<std::size_t>(longer) <= intervals.size() / 4) return median;
  const auto upper =
      intervals.begin() + static_cast<std::ptrdiff_t>(intervals.size() - intervals.size() / 4 - 1);
  std::nth_element(intervals.begin(), upper, intervals.end());
  const double longest = gap_factor * *upper;
  double sum = 0;
  std::size_t count = 0;
  for (const double interval : intervals)
    if (interval <= longest) {
      sum += interval;
      ++count;
    }
  return sum / static_cast<double>(count);
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

// What make_clock() found of stamps that are not one a sample, in their order.
struct StampReport {
  std::vector<std::size_t> order;  // the samples by time; empty where they are in order
  std::int64_t out_of_order = 0;   // samples that stand after a later one
  std::int64_t bunched = 0;        // samples of bunches that were spread
  std::int64_t bunches = 0;        // the stamps that those had
};

namespace clock_detail {

inline constexpr std::size_t longest_disorder = 8;                   // samples, and usual intervals
inline constexpr double farthest_disorder = longest_disorder + 0.5;  // usual intervals, rounding included

// The time of a sample in the file's own order: what intervals between gaps and resets come to, over their
// number; the usual one where they come to nothing, as of a handful of samples.
inline double mean_interval(std::span<const double> times, double usual) {
  double sum = 0;
  std::size_t count = 0;
  for (std::size_t i = 1; i < times.size(); ++i) {
    const double interval = times[i] - times[i - 1];
    if (interval > gap_factor * usual || interval < -static_cast<double>(longest_disorder) * usual) continue;
    sum += interval;
    ++count;
  }
  return sum > 0 ? sum / static_cast<double>(count) : usual;
}

// The first sample from `fall` on whose stamp exceeds those before the fall, or the end, where the samples
// between are out of order; 0 where the fall is a reset. `course` is the first sample since the last reset,
// `mean` the time of a sample.
inline std::size_t end_of_disorder(std::span<const double> times, std::size_t course, std::size_t fall,
                                   double usual, double mean) {
  const double highest = times[fall - 1];
  double lowest = highest;
  std::size_t end = fall, below = 0;
  for (; end < times.size() && times[end] <= highest; ++end) {
    if (times[end] < highest && ++below > longest_disorder) return 0;
    lowest = std::min(lowest, times[end]);
  }
  constexpr std::size_t most = 256;
  const bool goes_on = end < times.size() && times[end] - highest <= gap_factor * usual;
  if (!goes_on && !(highest - lowest <= farthest_disorder * usual)) return 0;
  // A clock that was put back by a little goes over the same time twice, with twice the samples in it.
  std::size_t begin = fall;
  while (begin > course && times[begin - 1] >= lowest)
    if (--begin + most < fall) return 0;
  if (begin == course && course > 0) return 0;
  const double before = begin > course ? times[begin - 1] : lowest - mean;
  return static_cast<double>(end - begin) <= 1.5 * (highest - before) / mean + 1 ? end : 0;
}

// Gives the samples of a bunch with stamps that differ the stamp of its first. The time of a sample is the
// median over sixteen of them, so that a bunch and its pause go together. Returns what intervals that differ
// from 0 are longer than between bunches; 0 where there are none.
inline double join_bunches(std::vector<double>& times) {
  constexpr std::size_t span = 16;
  if (times.size() <= 2 * span) return 0;
  const double time_of_one = [&] {
    std::vector<double> spans;
    spans.reserve(times.size() - span);
    for (std::size_t i = span; i < times.size(); ++i) spans.push_back((times[i] - times[i - span]) / span);
    const auto middle = spans.begin() + static_cast<std::ptrdiff_t>(spans.size() / 2);
    std::nth_element(spans.begin(), middle, spans.end());
    return *middle;
  }();
  // Stamps in whole milliseconds show neighbours of a bunch as one or as a millisecond apart.
  double quantum = time_of_one;
  std::size_t equal = 0;
  for (std::size_t i = 1; i < times.size(); ++i) {
    equal += times[i] == times[i - 1];
    if (times[i] > times[i - 1]) quantum = std::min(quantum, times[i] - times[i - 1]);
  }
  const bool rounded = equal > times.size() / 20 && quantum <= 0.65 * time_of_one;
  const double near = std::max(time_of_one / 3, rounded ? 1.01 * quantum : 0);
  std::size_t close = 0;
  for (std::size_t i = 1; i < times.size(); ++i) close += times[i] - times[i - 1] < near;
  if (close <= (times.size() - 1) / 10) return 0;
  struct Chain {
    std::size_t begin, end;
  };
  std::vector<Chain> chains;  // of samples that follow one another closely, many of one
  chains.reserve(times.size() - close);
  for (std::size_t i = 0; i < times.size(); ++i) {
    if (i > 0 && times[i] - times[i - 1] < near) {
      chains.back().end = i + 1;
    } else {
      chains.push_back({i, i + 1});
    }
  }
  std::vector<double> periods;
  periods.reserve(chains.size());
  for (std::size_t c = 1; c < chains.size(); ++c)
    periods.push_back(times[chains[c].begin] - times[chains[c - 1].begin]);
  if (periods.empty()) return 0;
  const auto usual = periods.begin() + static_cast<std::ptrdiff_t>(periods.size() / 2);
  std::nth_element(periods.begin(), usual, periods.end());
  const double longest_pause = gap_factor * *usual;  // what is longer is a gap
  std::size_t longest = 0, within = 0;
  const auto is_bunch = [&](std::size_t c) {
    const std::size_t count = chains[c].end - chains[c].begin;
    // What follows the last one is not known, and the last one may be cut off and come early.
    if (c + 1 == chains.size() ||
        (c + 2 == chains.size() && chains[c + 1].end - chains[c + 1].begin < count && count <= longest))
      return count <= longest;
    // A stamp told when a packet came has its pause before it.
    const double after = times[chains[c].end] - times[chains[c].begin];
    const double before = c > 0 ? times[chains[c].end - 1] - times[chains[c].begin - 1] : 0;
    const double takes = std::min(std::max(before, after), longest_pause);
    return takes >= 0.5 * time_of_one * static_cast<double>(count);
  };
  std::vector<bool> bunches(chains.size());
  for (std::size_t c = 0; c < chains.size(); ++c) {
    const std::size_t count = chains[c].end - chains[c].begin;
    bunches[c] = count > 1 && is_bunch(c);
    if (!bunches[c]) continue;
    longest = std::max(longest, count);
    within += count - 1;
  }
  if (within <= (times.size() - 1) / 10) return 0;
  for (std::size_t c = 0; c < chains.size(); ++c)
    if (bunches[c])
      for (std::size_t i = chains[c].begin; i < chains[c].end; ++i) times[i] = times[chains[c].begin];
  return near;
}

// Refuses times, which never fall, with one stamp at many samples.
inline void refuse_standing(std::span<const double> times, const std::string& path) {
  const std::size_t n = times.size();
  std::size_t longest = 0;
  for (std::size_t i = 1, length = 1; i < n; ++i) {
    length = times[i] == times[i - 1] ? length + 1 : 1;
    longest = std::max(longest, length);
  }
  constexpr std::size_t handful = 16;
  if (longest > handful && longest > n / 10)
    throw InputError(path,
                     "its clock stands still: " + std::to_string(longest) + " of " + std::to_string(n) +
                         " samples have one time stamp",
                     "the time stamps should rise from sample to sample");
}

// Gives each sample of a bunch, which have one stamp, a time of its own. `times` never fall; `near` is what
// join_bunches() returned.
inline void spread_bunches(std::vector<double>& times, double near, StampReport& report) {
  const std::size_t n = times.size();
  std::size_t zeros = 0;
  for (std::size_t i = 1; i < n; ++i) zeros += times[i] == times[i - 1];
  if (zeros <= (n - 1) / 10) return;
  std::vector<double> apart;
  apart.reserve(n);
  for (std::size_t i = 0; i < n; ++i)
    if (i == 0 || times[i] == times[i - 1] || times[i] - times[i - 1] >= near) apart.push_back(times[i]);
  const double usual = usual_interval(apart);
  const auto end_of = [&](std::size_t begin) {
    std::size_t end = begin + 1;
    while (end < n && times[end] == times[begin]) ++end;
    return end;
  };
  // Of bunches that are alike, how many samples one has, and the time of a sample where the next bunch
  // follows as usual.
  std::map<std::size_t, std::size_t> sizes;
  std::size_t bunches = 0, samples = 0;
  for (std::size_t begin = 0, end = 0; begin < n; begin = end, ++bunches) {
    end = end_of(begin);
    ++sizes[end - begin];
  }
  const auto [size, often] = *std::max_element(
      sizes.begin(), sizes.end(), [](const auto& a, const auto& b) { return a.second < b.second; });
  double taken = 0;
  for (std::size_t begin = 0, end = 0; begin < n; begin = end) {
    end = end_of(begin);
    if (end == n || end - begin != size || times[end] - times[begin] > 1.5 * usual) continue;
    taken += times[end] - times[begin];
    samples += size;
  }
  const bool alike = 4 * often >= 3 * bunches && samples > 0;
  const double time_of_one = alike ? taken / static_cast<double>(samples) : 0;
  double step = usual;
  for (std::size_t begin = 0; begin < n;) {
    const double stamp = times[begin];
    const std::size_t end = end_of(begin);
    if (end < n) {
      const double interval = times[end] - stamp;
      step = (interval <= gap_factor * usual ? interval : usual) / static_cast<double>(end - begin);
      if (alike && begin == 0 && end < size && step > time_of_one && interval <= 1.5 * usual) {
        step = time_of_one;
        times[0] = times[end] - static_cast<double>(end) * step;  // the recording began amid this bunch
      } else if (alike && step > 1.75 * time_of_one && end_of(end) - end <= size) {
        step = time_of_one;
      }
    } else {
      step = std::min(step, usual / static_cast<double>(end - begin));
    }
    for (std::size_t i = begin + 1; i < end; ++i)
      times[i] = times[begin] + static_cast<double>(i - begin) * step;
    if (end - begin > 1) {
      report.bunched += static_cast<std::int64_t>(end - begin);
      ++report.bunches;
    }
    begin = end;
  }
}

// The clock of times that rise from the first to the last and never fall: uniform where they lie on an even
// grid.
inline Clock clock_of(std::vector<double> times) {
  const std::size_t n = times.size();
  const double first = times.front();
  const double even = (times.back() - first) / static_cast<double>(n - 1);
  Clock clock;
  bool uniform = true;
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

}  // namespace clock_detail

// Without a `report`, samples out of order are taken for resets.
inline Clock make_clock(std::vector<double> times, const std::string& path,
                        std::optional<double> origin_s = std::nullopt, StampReport* report = nullptr) {
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
  if (usual < 1e-9)
    throw InputError(path, "its time stamps are less than 1e-9 s apart", "check the unit of its time column");

  std::vector<ClockReset> resets;
  StampReport found;
  const double mean = clock_detail::mean_interval(times, usual);
  std::size_t falls = 0, course = 0;
  for (std::size_t i = 1; i < n; ++i) {
    if (times[i] >= times[i - 1]) continue;  // the highest of its course
    ++falls;
    const std::size_t end =
        report != nullptr ? clock_detail::end_of_disorder(times, course, i, usual, mean) : 0;
    if (end == 0) {
      resets.push_back({static_cast<std::int64_t>(i), times[i - 1] - times[i]});
      course = i;
      continue;
    }
    const double highest = times[i - 1];
    for (std::size_t k = i; k < end; ++k) {
      found.out_of_order += times[k] < highest;
      falls += k > i && times[k] < times[k - 1];
    }
    i = end;
  }
  if (falls > n / 10)
    throw InputError(
        path,
        "its clock runs backwards at " + std::to_string(falls) + " of " + std::to_string(n) + " samples",
        "the time stamps should rise from sample to sample");
  for (std::size_t k = 0; k < resets.size(); ++k) {
    const auto reset = static_cast<std::size_t>(resets[k].sample);
    const std::size_t next = k + 1 < resets.size() ? static_cast<std::size_t>(resets[k + 1].sample) : n;
    const double shift = times[reset - 1] + usual - times[reset];
    for (std::size_t i = reset; i < next; ++i) times[i] += shift;
  }
  if (found.out_of_order > 0) {
    found.order.resize(n);
    std::iota(found.order.begin(), found.order.end(), std::size_t{0});
    std::stable_sort(found.order.begin(), found.order.end(),
                     [&](std::size_t a, std::size_t b) { return times[a] < times[b]; });
    std::sort(times.begin(), times.end());
    if (!origin_s) {
      const double first = times.front();
      for (double& time : times) time -= first;
    }
  }
  clock_detail::refuse_standing(times, path);
  const double near = clock_detail::join_bunches(times);
  clock_detail::spread_bunches(times, near, found);
  if (found.bunches > 0 && !origin_s) {
    const double begin = times.front();
    for (double& time : times) time -= begin;
  }
  if (report != nullptr) *report = std::move(found);

  Clock clock;
  if (resets.empty())
    clock = clock_detail::clock_of(std::move(times));
  else
    clock.times_s = std::move(times);
  clock.resets = std::move(resets);
  return clock;
}

}  // namespace imu2music::inline v0
