// How many notes of a performance an estimate has found, by the rules of mir_eval's transcription metrics.
//
// A reference note and an estimated one may be joined where
//   |onset − onset'| <= onset_s
//   pitch = pitch'               where pitch counts (±50 cents, for whole MIDI numbers)
//   |end − end'| <= max(offset_least_s, offset_share · (end − onset))
//                                where the offset counts; the length is the reference's
// Distances are rounded to 0.1 ms first, as mir_eval does, so that a note exactly 50 ms away is found. Of all
// ways to join notes one to one, one with the most pairs is taken (bipartite_matching.hpp).
//
//   precision = matched / estimated,  recall = matched / reference,  F1 = 2 matched / (estimated + reference)
//
// Each is 0 where it would divide by 0: mir_eval gives 0, not 1, where both sides are empty. Counts of
// several windows are added before the figures are formed (pooled), so an empty window that was left empty
// neither helps nor harms.
//
// Cost: O(N + M + E √(N + M)) for E joinable pairs, and sorting. Source: C. Raffel et al., "mir_eval: a
// transparent implementation of common MIR metrics", ISMIR 2014; its module transcription.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <span>
#include <vector>

#include "imu2music/evaluate/bipartite_matching.hpp"
#include "imu2music/music/note.hpp"

namespace imu2music::inline v0 {

struct MatchCounts {
  std::int64_t matched = 0, reference = 0, estimated = 0;

  double precision() const { return share(matched, estimated); }
  double recall() const { return share(matched, reference); }
  double f1() const { return share(2 * matched, estimated + reference); }

  MatchCounts& operator+=(const MatchCounts& more) {
    matched += more.matched;
    reference += more.reference;
    estimated += more.estimated;
    return *this;
  }
  friend bool operator==(const MatchCounts&, const MatchCounts&) = default;

 private:
  static double share(std::int64_t part, std::int64_t whole) {
    return whole == 0 ? 0 : static_cast<double>(part) / static_cast<double>(whole);
  }
};

struct NoteMatchOptions {
  double onset_s = 0.05;
  bool pitch = true;
  bool offset = true;
  double offset_share = 0.2;
  double offset_least_s = 0.05;
};

inline MatchCounts match_notes(std::span<const Note> reference, std::span<const Note> estimated,
                               const NoteMatchOptions& options = {}) {
  const auto distance = [](double a, double b) { return std::nearbyint(std::abs(a - b) * 1e4) / 1e4; };
  std::vector<std::size_t> order(estimated.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return estimated[a].start < estimated[b].start; });
  std::vector<std::vector<std::size_t>> neighbours(reference.size());
  for (std::size_t r = 0; r < reference.size(); ++r) {
    const Note& note = reference[r];
    const double reach = options.onset_s + 1e-3;  // beyond every rounding
    auto at = std::lower_bound(order.begin(), order.end(), note.start - reach,
                               [&](std::size_t e, double time) { return estimated[e].start < time; });
    for (; at != order.end() && estimated[*at].start <= note.start + reach; ++at) {
      const Note& other = estimated[*at];
      if (!(distance(note.start, other.start) <= options.onset_s)) continue;
      if (options.pitch && note.pitch != other.pitch) continue;
      const double allowed = std::max(options.offset_share * (note.end - note.start), options.offset_least_s);
      if (options.offset && !(distance(note.end, other.end) <= allowed)) continue;
      neighbours[r].push_back(*at);
    }
  }
  const std::vector<std::size_t> partners = maximum_matching(neighbours, estimated.size());
  return {std::count_if(partners.begin(), partners.end(), [](std::size_t p) { return p != unmatched; }),
          static_cast<std::int64_t>(reference.size()), static_cast<std::int64_t>(estimated.size())};
}

// Times of onsets alone.
inline MatchCounts match_onsets(std::span<const double> reference, std::span<const double> estimated,
                                double tolerance_s) {
  const auto as_notes = [](std::span<const double> times) {
    std::vector<Note> notes;
    notes.reserve(times.size());
    for (double time : times) notes.push_back({.start = time, .end = time});
    return notes;
  };
  return match_notes(as_notes(reference), as_notes(estimated),
                     {.onset_s = tolerance_s, .pitch = false, .offset = false});
}

}  // namespace imu2music::inline v0
