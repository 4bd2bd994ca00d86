// What is wrong with a recording: gaps, clock resets, repeated samples, saturation, missing values, units in
// doubt; and what can be told of it: rates, the share of rows that are new, gravity.
//
//   gap           an interval of more than 2.5 usual ones (clock.hpp), with its whole length
//   clock reset   a place where the file's clock ran backwards, with how far
//   hold          three rows or more that all repeat one sample, for 0.1 s or more: the sensor was silent,
//                 the file was not
//   saturation    an axis of acceleration or angular velocity pinned at its extreme. Either the extreme is a
//                 full scale that sensors have (±2, 4, 8, 16 g; ±125, 250, 500, 1000, 2000, 4000 °/s, to
//                 1/1000) and stands in two samples or more; or it stands in three new samples on end,
//                 entered or left by a step of 6 quanta and of 1/500 of the range, where the range has 64
//                 quanta or more (the quantum is the axis's smallest step): the top of a slow swing is left
//                 by one quantum
//   missing       samples with a value that is not finite
//   unit doubt    acceleration that does not read gravity at rest (7.3 … 12.3 m/s²), or whose median is
//                 above 60 m/s²; angular velocity beyond 70 rad/s; angles beyond 4π; quaternions whose
//                 length is not 1; positions without a unit
//
// A row is new where any axis differs from the row before it. Sample-and-hold at 100 Hz of a sensor that
// sends 85 samples a second gives new_share 0.85.
//
// gravity_m_s2 is the mean |acceleration| over the windows of 0.25 s in which the sensor is still: every
// axis within a standard deviation of 0.3 m/s² and, where there is a gyroscope, a mean |ω| below 0.2 rad/s.
// None where it never is.
//
// Cost: O(n), a few passes. Nothing is thrown for a recording that passes check_recording().
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <numbers>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "imu2music/imu/clock.hpp"
#include "imu2music/imu/interpolate.hpp"
#include "imu2music/imu/recording.hpp"

namespace imu2music::inline v0 {

struct Finding {
  std::string sensor;
  double time_s = 0;    // where it begins, on the recording's time axis
  double length_s = 0;  // how long it lasts; of a clock reset, how far back the clock went
  std::optional<Quantity> quantity = {};
  int axis = -1;     // where it concerns one axis
  double value = 0;  // of a saturation: the extreme, SI
};

struct UnitDoubt {
  std::string sensor;
  Quantity quantity = Quantity::acceleration;
  std::string reason;  // "reads 1.00 m/s² at rest: its values look like g"
};

struct ChannelDiagnosis {
  Quantity quantity = Quantity::acceleration;
  double new_share = 1;
};

struct SensorDiagnosis {
  std::string name;
  std::int64_t samples = 0;
  double duration_s = 0;
  double rate_hz = 0;           // between gaps
  double usual_interval_s = 0;  // what gaps are measured against (clock.hpp)
  bool uniform_clock = true;
  double new_share = 1;                     // of the rows, all channels together
  std::optional<double> gravity_m_s2 = {};  // at rest; nothing where it never rests
  std::optional<double> median_acceleration_m_s2 = {};
  std::vector<ChannelDiagnosis> channels;
};

struct Diagnosis {
  double duration_s = 0;
  std::vector<SensorDiagnosis> sensors;
  std::vector<Finding> gaps, clock_resets, holds, saturations, missing;
  std::vector<UnitDoubt> unit_doubts;
};

namespace diagnose_detail {

struct Run {
  std::size_t first = 0, end = 0;
};

// The runs of samples for which `holds(i)`.
template <class Predicate>
std::vector<Run> runs_of(std::size_t n, Predicate holds) {
  std::vector<Run> runs;
  for (std::size_t i = 0; i < n;) {
    if (!holds(i)) {
      ++i;
      continue;
    }
    std::size_t end = i + 1;
    while (end < n && holds(end)) ++end;
    runs.push_back({i, end});
    i = end;
  }
  return runs;
}

inline bool repeats(const Channel& channel, std::size_t i) {
  for (int axis = 0; axis < axis_count(channel.quantity); ++axis) {
    const float now = channel.axis(axis)[i], before = channel.axis(axis)[i - 1];
    if (now != before && !(std::isnan(now) && std::isnan(before))) return false;
  }
  return true;
}

inline bool is_full_scale(Quantity quantity, double value) {
  static constexpr std::array<double, 4> acceleration_g = {2, 4, 8, 16};
  static constexpr std::array<double, 6> angular_velocity_dps = {125, 250, 500, 1000, 2000, 4000};
  const bool acceleration = quantity == Quantity::acceleration;
  const double in_unit = std::abs(value) / (acceleration ? standard_gravity : radians_per_degree);
  const std::span<const double> scales =
      acceleration ? std::span<const double>(acceleration_g) : std::span<const double>(angular_velocity_dps);
  return std::any_of(scales.begin(), scales.end(),
                     [&](double scale) { return std::abs(in_unit - scale) <= 1e-3 * scale; });
}

// The runs at which an axis is pinned at `extreme`.
inline std::vector<Run> pinned_runs(const Channel& channel, int axis, float extreme, double range,
                                    double quantum, const std::vector<bool>& is_new) {
  const std::span<const float> x = channel.axis(axis);
  std::vector<Run> runs = runs_of(x.size(), [&](std::size_t i) { return x[i] == extreme; });
  const auto new_samples = [&](const Run& run) {
    return std::count(is_new.begin() + static_cast<std::ptrdiff_t>(run.first),
                      is_new.begin() + static_cast<std::ptrdiff_t>(run.end), true);
  };
  if (is_full_scale(channel.quantity, static_cast<double>(extreme))) {
    std::ptrdiff_t count = 0;
    for (const Run& run : runs) count += std::max<std::ptrdiff_t>(new_samples(run), 1);
    return count >= 2 ? runs : std::vector<Run>{};
  }
  if (!(range >= 64 * quantum)) return {};
  const double sharp = std::max(6 * quantum, range / 500);
  std::erase_if(runs, [&](const Run& run) {
    double step = 0;
    const auto difference = [&](std::size_t i) {
      return std::abs(static_cast<double>(x[i]) - static_cast<double>(extreme));
    };
    if (run.first > 0) step = std::max(step, difference(run.first - 1));
    if (run.end < x.size()) step = std::max(step, difference(run.end));
    return new_samples(run) < 3 || !(step >= sharp);
  });
  return runs;
}

inline std::optional<double> gravity_of(const SensorTrack& sensor, const SensorDiagnosis& facts,
                                        const std::vector<bool>& row_is_new) {
  const Channel* acceleration = sensor.find(Quantity::acceleration);
  if (acceleration == nullptr || !(facts.rate_hz > 0)) return std::nullopt;
  const Channel* angular_velocity = sensor.find(Quantity::angular_velocity);
  const auto n = static_cast<std::size_t>(sensor.sample_count());
  const auto window = static_cast<std::size_t>(std::clamp(std::round(0.25 * facts.rate_hz), 5.0, 1e6));
  double sum = 0;
  std::int64_t still = 0;
  for (std::size_t first = 0; first + window <= n; first += window) {
    // A sensor that usually sends new values and now sends none is silent, not still.
    std::size_t fresh = 0;
    for (std::size_t i = first; i < first + window; ++i) fresh += row_is_new[i];
    if (facts.new_share > 0.3 && fresh < 3) continue;
    bool quiet = true;
    double magnitude = 0;
    for (int axis = 0; axis < 3 && quiet; ++axis) {
      double mean = 0, squares = 0;
      const std::span<const float> x = acceleration->axis(axis).subspan(first, window);
      for (const float value : x) mean += static_cast<double>(value);
      mean /= static_cast<double>(window);
      for (const float value : x) {
        const double off = static_cast<double>(value) - mean;
        squares += off * off;
      }
      quiet = squares <= 0.3 * 0.3 * static_cast<double>(window);  // false for NaN too
      magnitude += mean * mean;
    }
    if (quiet && angular_velocity != nullptr) {
      double turning = 0;
      for (std::size_t i = first; i < first + window; ++i) {
        double squares = 0;
        for (int axis = 0; axis < 3; ++axis) {
          const double w = static_cast<double>(angular_velocity->axis(axis)[i]);
          squares += w * w;
        }
        turning += std::sqrt(squares);
      }
      quiet = turning <= 0.2 * static_cast<double>(window);
    }
    if (!quiet) continue;
    sum += std::sqrt(magnitude);
    ++still;
  }
  if (still == 0) return std::nullopt;
  return sum / static_cast<double>(still);
}

inline std::string rounded(double value) { return number_text(std::round(value * 100) / 100); }

// The median length of the channel's finite samples and their largest component; 0 where none is finite.
struct Magnitudes {
  double median = 0, largest = 0;
  bool any = false;
};

inline Magnitudes magnitudes_of(const Channel& channel) {
  Magnitudes result;
  const auto n = static_cast<std::size_t>(channel.sample_count());
  std::vector<double> lengths;
  lengths.reserve(n);
  for (std::size_t i = 0; i < n; ++i) {
    double squares = 0;
    for (int axis = 0; axis < axis_count(channel.quantity); ++axis) {
      const double value = static_cast<double>(channel.axis(axis)[i]);
      squares += value * value;
      if (std::isfinite(value)) result.largest = std::max(result.largest, std::abs(value));
    }
    if (std::isfinite(squares)) lengths.push_back(std::sqrt(squares));
  }
  if (lengths.empty()) return result;
  const auto middle = lengths.begin() + static_cast<std::ptrdiff_t>(lengths.size() / 2);
  std::nth_element(lengths.begin(), middle, lengths.end());
  result.median = *middle;
  result.any = true;
  return result;
}

// Why the channel's unit is in doubt; empty where it is not.
inline std::string unit_doubt(Quantity quantity, const Magnitudes& magnitudes, const SensorDiagnosis& facts) {
  if (!magnitudes.any) return {};
  const double median = magnitudes.median, largest = magnitudes.largest;
  switch (quantity) {
    case Quantity::acceleration: {
      const bool still = facts.gravity_m_s2.has_value();
      const double length = facts.gravity_m_s2.value_or(median);
      const std::string reads =
          "reads " + rounded(length) + (still ? " m/s² at rest" : " m/s² as its median");
      if (length > 0.7 && length < 1.4) return reads + ": its values look like g";
      if (still && length < 0.5) return reads + ": gravity is not in it";
      if (median > 60)
        return reads + ": no body moves like that; they may be counts, mg, or m/s² in a column of g";
      if (still && (length < 7.3 || length > 12.3)) return reads + ", where gravity is 9.81 m/s²";
      return {};
    }
    case Quantity::angular_velocity:
      return largest > 70 ? "reaches " + rounded(largest) + " rad/s: its values look like degrees/s"
                          : std::string();
    case Quantity::rotation:
      return largest > 4 * std::numbers::pi
                 ? "reaches " + rounded(largest) + " rad: its values look like degrees"
                 : std::string();
    case Quantity::orientation:
      return median < 0.9 || median > 1.1 ? "has quaternions of length " + rounded(median) : std::string();
    case Quantity::position:
      return largest > 100 ? "reaches " + rounded(largest) + " m: its values are hardly metres"
                           : std::string();
    case Quantity::image_position:
      return "has no known unit";
    case Quantity::confidence:
      return median < 0 || largest > 1 ? "reaches " + rounded(largest) + ", where 0 to 1 is right"
                                       : std::string();
  }
  return {};
}

}  // namespace diagnose_detail

inline Diagnosis diagnose(const Recording& recording) {
  namespace detail = diagnose_detail;
  check_recording(recording);
  Diagnosis diagnosis;
  diagnosis.duration_s = recording.duration_s();
  for (const SensorTrack& sensor : recording.sensors) {
    const auto n = static_cast<std::size_t>(sensor.sample_count());
    const auto time = [&](std::size_t i) { return sensor.clock.time_s(static_cast<std::int64_t>(i)); };
    SensorDiagnosis facts;
    facts.name = sensor.name;
    facts.samples = sensor.sample_count();
    facts.duration_s = sensor.duration_s();
    facts.uniform_clock = sensor.clock.is_uniform();
    facts.rate_hz = native_rate_hz(sensor.clock);
    facts.usual_interval_s = facts.uniform_clock ? 1 / facts.rate_hz : usual_interval(sensor.clock.times_s);
    const double interval = facts.usual_interval_s;
    // How long samples first … end−1 last, the one after them included where there is one.
    const auto length = [&](const detail::Run& run) {
      return (run.end < n ? time(run.end) : time(n - 1) + interval) - time(run.first);
    };

    if (!facts.uniform_clock)
      for (std::size_t i = 1; i < n; ++i)
        if (const double step = time(i) - time(i - 1); step > gap_factor * interval)
          diagnosis.gaps.push_back({sensor.name, time(i - 1), step});
    for (const ClockReset& reset : sensor.clock.resets)
      diagnosis.clock_resets.push_back({sensor.name, sensor.clock.time_s(reset.sample), reset.back_s});

    std::vector<bool> row_is_new(n, false);
    if (n > 0) row_is_new[0] = true;
    for (const Channel& channel : sensor.channels) {
      std::vector<bool> is_new(n, false);
      if (n > 0) is_new[0] = true;
      for (std::size_t i = 1; i < n; ++i)
        if (!detail::repeats(channel, i)) is_new[i] = row_is_new[i] = true;
      facts.channels.push_back(
          {channel.quantity, n == 0 ? 1.0
                                    : static_cast<double>(std::count(is_new.begin(), is_new.end(), true)) /
                                          static_cast<double>(n)});

      for (const detail::Run& run :
           detail::runs_of(n, [&](std::size_t i) { return !is_finite_sample(channel, i); }))
        diagnosis.missing.push_back({sensor.name, time(run.first), length(run), channel.quantity});

      if (channel.quantity != Quantity::acceleration && channel.quantity != Quantity::angular_velocity)
        continue;
      for (int axis = 0; axis < 3; ++axis) {
        float low = std::numeric_limits<float>::infinity(), high = -low;
        double quantum = std::numeric_limits<double>::infinity();
        const std::span<const float> x = channel.axis(axis);
        for (std::size_t i = 0; i < n; ++i) {
          if (!std::isfinite(x[i])) continue;
          low = std::min(low, x[i]);
          high = std::max(high, x[i]);
          if (i > 0 && x[i] != x[i - 1] && std::isfinite(x[i - 1]))
            quantum = std::min(quantum, std::abs(static_cast<double>(x[i]) - static_cast<double>(x[i - 1])));
        }
        if (!(high > low)) continue;
        const double range = static_cast<double>(high) - static_cast<double>(low);
        for (const float extreme : {low, high})
          for (const detail::Run& run : detail::pinned_runs(channel, axis, extreme, range, quantum, is_new))
            diagnosis.saturations.push_back({sensor.name, time(run.first), length(run), channel.quantity,
                                             axis, static_cast<double>(extreme)});
      }
    }
    if (n > 0)
      facts.new_share = static_cast<double>(std::count(row_is_new.begin(), row_is_new.end(), true)) /
                        static_cast<double>(n);
    for (const detail::Run& run : detail::runs_of(n, [&](std::size_t i) { return !row_is_new[i]; })) {
      // The hold begins with the sample that is repeated.
      const double held = time(run.end - 1) - time(run.first - 1);
      if (held >= 0.1 - 1e-9 && run.end - run.first >= 3)
        diagnosis.holds.push_back({sensor.name, time(run.first - 1), held});
    }

    facts.gravity_m_s2 = detail::gravity_of(sensor, facts, row_is_new);
    for (const Channel& channel : sensor.channels) {
      const detail::Magnitudes magnitudes = detail::magnitudes_of(channel);
      if (channel.quantity == Quantity::acceleration && magnitudes.any)
        facts.median_acceleration_m_s2 = magnitudes.median;
      // A detector, which tells how sure it is, counts pixels.
      if (channel.quantity == Quantity::image_position && sensor.find(Quantity::confidence) != nullptr)
        continue;
      if (std::string reason = detail::unit_doubt(channel.quantity, magnitudes, facts); !reason.empty())
        diagnosis.unit_doubts.push_back({sensor.name, channel.quantity, std::move(reason)});
    }
    diagnosis.sensors.push_back(std::move(facts));
  }
  return diagnosis;
}

// One sentence a sensor and kind of finding:
//   wand: 1 gap, 314.156 s in all, the longest 314.156 s at 58.43 s
inline std::vector<std::string> describe(const Diagnosis& diagnosis) {
  std::vector<std::string> sentences;
  const auto seconds = [](double value) { return number_text(std::round(value * 1000) / 1000) + " s"; };
  const auto list = [&](const std::vector<Finding>& findings, const char* one, const char* many,
                        const char* total, const char* longest_word) {
    struct Sum {
      std::int64_t count = 0;
      double length_s = 0;
      const Finding* longest = nullptr;
    };
    std::map<std::string_view, Sum> sums;
    for (const Finding& finding : findings) {
      Sum& sum = sums[finding.sensor];
      ++sum.count;
      sum.length_s += finding.length_s;
      if (sum.longest == nullptr || finding.length_s > sum.longest->length_s) sum.longest = &finding;
    }
    for (const SensorDiagnosis& sensor : diagnosis.sensors) {
      const auto found = sums.find(sensor.name);
      if (found == sums.end()) continue;
      const Sum& sum = found->second;
      sentences.push_back(
          sensor.name + ": " + std::to_string(sum.count) + " " + (sum.count == 1 ? one : many) + ", " +
          (sum.count == 1 ? "" : seconds(sum.length_s) + " " + total + ", the " + longest_word + " ") +
          seconds(sum.longest->length_s) + " at " + seconds(sum.longest->time_s));
    }
  };
  list(diagnosis.gaps, "gap", "gaps", "in all", "longest");
  list(diagnosis.clock_resets, "place where the clock runs backwards",
       "places where the clock runs backwards", "in all", "farthest");
  list(diagnosis.holds, "stretch of repeated rows", "stretches of repeated rows", "in all", "longest");
  list(diagnosis.saturations, "saturated stretch", "saturated stretches", "in all", "longest");
  list(diagnosis.missing, "stretch of missing values", "stretches of missing values", "in all", "longest");
  // Sensors with the same doubt, as the joints of a skeleton have, share a sentence.
  for (std::size_t i = 0; i < diagnosis.unit_doubts.size(); ++i) {
    const UnitDoubt& doubt = diagnosis.unit_doubts[i];
    const auto same = [&](const UnitDoubt& other) {
      return other.quantity == doubt.quantity && other.reason == doubt.reason;
    };
    const auto begin = diagnosis.unit_doubts.begin();
    if (std::any_of(begin, begin + static_cast<std::ptrdiff_t>(i), same)) continue;
    const auto others = std::count_if(begin, diagnosis.unit_doubts.end(), same) - 1;
    sentences.push_back(doubt.sensor + (others > 0 ? " and " + std::to_string(others) + " more" : "") +
                        ": its " + std::string(to_string(doubt.quantity)) + " " + doubt.reason);
  }
  return sentences;
}

}  // namespace imu2music::inline v0
