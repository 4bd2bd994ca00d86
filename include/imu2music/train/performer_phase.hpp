// By how much each performer's motion lags behind the others' on the clock of one score, told by motion
// alone.
//
// Takes of one piece that several performers played to one click share their score's clock up to a constant
// for each performer: how the recording was started, and where in a note a player moves. This finds those
// constants, so that one score can be laid under all takes alike. No note is looked at.
//
//   e(t)      how fast a take moves: |angular velocity|, or |acceleration − its mean| where there is none,
//             summed over sensors, at 50 Hz, a mean of three frames, standardised over the take
//   c_pq(l)   Σ over pieces of the mean over t of e_p(t) e_q(t + l)
//   phases    maximise Σ_{p<q} c_pq(d_q − d_p), every d within ±0.4 s in frames of 20 ms: one performer after
//             the other until none moves, from all 0; then their median is taken off
//
// d > 0: the performer moves later than the median. Performers who share no piece with another have 0.
// Cost: 81 correlations of O(frames) for every two takes of one piece; then at most 100 rounds of
// O(performers² · 41).
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "imu2music/imu/recording.hpp"
#include "imu2music/imu/resample.hpp"

namespace imu2music::inline v0 {

// A take as performer_phases() wants it.
struct PerformerMotion {
  std::string performer, piece;
  std::vector<double> speed;  // e(t), from the recording's time 0 on
  std::int64_t first = 0;     // the frame of the scores' clock that this is
};

namespace performer_phase_detail {

inline constexpr double rate_hz = 50;
inline constexpr std::int64_t most = 20;  // frames

inline void standardise(std::vector<double>& values) {
  double sum = 0, squares = 0;
  for (const double v : values) sum += v;
  const double mean = sum / static_cast<double>(values.size());
  for (const double v : values) squares += (v - mean) * (v - mean);
  const double deviation = std::sqrt(squares / static_cast<double>(values.size()));
  for (double& v : values) v = deviation > 0 ? (v - mean) / deviation : 0;
}

// How many frames of a(t) and b(t + lag) there are.
inline std::int64_t overlap(const std::vector<double>& a, const std::vector<double>& b, std::int64_t lag) {
  const auto n = static_cast<std::int64_t>(a.size()), m = static_cast<std::int64_t>(b.size());
  return std::min(n, m - lag) - std::max<std::int64_t>(0, -lag);
}

// The mean of a(t) b(t + lag) over where both are.
inline double correlation(const std::vector<double>& a, const std::vector<double>& b, std::int64_t lag) {
  const auto n = static_cast<std::int64_t>(a.size()), m = static_cast<std::int64_t>(b.size());
  const std::int64_t begin = std::max<std::int64_t>(0, -lag), end = std::min(n, m - lag);
  double sum = 0;
  for (std::int64_t t = begin; t < end; ++t)
    sum += a[static_cast<std::size_t>(t)] * b[static_cast<std::size_t>(t + lag)];
  return end > begin ? sum / static_cast<double>(end - begin) : 0;
}

}  // namespace performer_phase_detail

// InputError where the recording cannot be brought to 50 Hz.
inline PerformerMotion performer_motion(const Recording& recording, const std::string& performer,
                                        const std::string& piece) {
  using namespace performer_phase_detail;
  PerformerMotion result{performer, piece, {}};
  const Recording motion = at_rate(recording, rate_hz);
  for (const SensorTrack& sensor : motion.sensors) {
    const bool turns = sensor.find(Quantity::angular_velocity) != nullptr;
    const Channel* channel =
        turns ? sensor.find(Quantity::angular_velocity) : sensor.find(Quantity::acceleration);
    if (channel == nullptr) continue;
    const std::int64_t frames = channel->sample_count();
    const auto value = [&](std::int64_t i, int axis) {
      return static_cast<double>(channel->samples[static_cast<std::size_t>(axis * frames + i)]);
    };
    double mean[3] = {0, 0, 0};
    for (std::int64_t i = 0; i < frames && !turns; ++i)
      for (int axis = 0; axis < 3; ++axis) mean[axis] += value(i, axis) / static_cast<double>(frames);
    const auto first = static_cast<std::int64_t>(std::lround(sensor.start_s() * rate_hz));
    for (std::int64_t i = std::max<std::int64_t>(0, -first); i < frames; ++i) {
      double squares = 0;
      for (int axis = 0; axis < 3; ++axis) squares += std::pow(value(i, axis) - mean[axis], 2);
      const auto at = static_cast<std::size_t>(first + i);
      if (result.speed.size() <= at) result.speed.resize(at + 1, 0);
      result.speed[at] += std::sqrt(squares);
    }
  }
  std::vector<double>& e = result.speed;
  std::vector<double> smooth(e.size());
  for (std::size_t i = 0; i < e.size(); ++i) {
    const double before = i > 0 ? e[i - 1] : e[i], after = i + 1 < e.size() ? e[i + 1] : e[i];
    smooth[i] = (before + e[i] + after) / 3;
  }
  if (!smooth.empty()) standardise(smooth);
  e = std::move(smooth);
  return result;
}

// Seconds by performer; every performer of `takes` has an entry. `each` is called take by take, and again
// performer by performer of each round; one that throws ends it.
inline std::map<std::string, double> performer_phases(std::span<const PerformerMotion> takes,
                                                      const std::function<void()>& each = {}) {
  using namespace performer_phase_detail;
  std::map<std::string, double> phases;
  for (const PerformerMotion& take : takes) phases[take.performer] = 0;
  // c_pq(l), l = −2 most … 2 most.
  std::map<std::pair<std::string, std::string>, std::vector<double>> together;
  for (const PerformerMotion& p : takes) {
    if (each) each();
    for (const PerformerMotion& q : takes) {
      if (p.piece != q.piece || p.performer == q.performer) continue;
      // Too little in common tells nothing, at whatever lag.
      const std::int64_t shift = p.first - q.first;
      constexpr auto least = static_cast<std::int64_t>(2 * rate_hz);
      if (std::min(overlap(p.speed, q.speed, shift - 2 * most), overlap(p.speed, q.speed, shift + 2 * most)) <
          least)
        continue;
      std::vector<double>& c = together[{p.performer, q.performer}];
      c.resize(4 * most + 1);
      for (std::int64_t l = -2 * most; l <= 2 * most; ++l)
        c[static_cast<std::size_t>(l + 2 * most)] += correlation(p.speed, q.speed, l + shift);
    }
  }
  struct Other {
    std::size_t number;
    const std::vector<double>* c;  // of that performer and this one
  };
  struct Performer {
    std::string name;
    std::int64_t d = 0;  // frames
    std::vector<Other> others;
  };
  std::map<std::string, std::size_t> numbers;
  for (const auto& pair : together) numbers.emplace(pair.first.first, numbers.size());
  if (numbers.empty()) return phases;
  std::vector<Performer> performers(numbers.size());
  for (const auto& [name, number] : numbers) performers[number].name = name;
  for (const auto& [pair, c] : together)
    performers[numbers.at(pair.second)].others.push_back({numbers.at(pair.first), &c});
  const auto gain = [&](const Performer& performer, std::int64_t d) {
    double sum = 0;
    for (const Other& other : performer.others)
      sum += (*other.c)[static_cast<std::size_t>(d - performers[other.number].d + 2 * most)];
    return sum;
  };
  bool moved = true;
  for (int round = 0; moved && round < 100; ++round) {
    moved = false;
    for (Performer& performer : performers) {
      if (each) each();
      std::int64_t best = performer.d;
      double most_gained = gain(performer, best);
      for (std::int64_t l = -most; l <= most; ++l)
        if (const double gained = gain(performer, l); gained > most_gained) {
          best = l;
          most_gained = gained;
        }
      moved = moved || best != performer.d;
      performer.d = best;
    }
  }
  std::vector<double> sorted;
  for (const Performer& performer : performers) sorted.push_back(static_cast<double>(performer.d));
  std::sort(sorted.begin(), sorted.end());
  const std::size_t half = sorted.size() / 2;
  const double median = sorted.size() % 2 == 1 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
  for (const Performer& performer : performers)
    phases[performer.name] = (static_cast<double>(performer.d) - median) / rate_hz;
  return phases;
}

}  // namespace imu2music::inline v0
