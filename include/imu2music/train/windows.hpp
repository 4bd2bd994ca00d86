// Windows of the pairs of a data set: where they lie, which notes they hold, and the tokens that a model
// learns to write for them.
//
// A window [start, start + seconds) lies wholly within its pair. A note belongs to it where it sounds in it:
// it begins there, or it began before and is continued; where it sounds beyond the end, it goes on in the
// next window. notes_in() gives the notes so, on the window's own axis: start < 0 is a continuation, end >
// seconds goes on.
//
// Tokens are [SOS] ids [EOS], at most L + 1 of them, L = max_sequence; inputs are all but the last, targets
// all but the first, of this one list (inputs_and_targets).
//
//   243 ids, vocabulary 1  notes that begin in the window, ended at its end where they sound beyond it; what
//                          began before has no place there, and silence before the first note is dropped
//                          (music/event_vocabulary.hpp). Cut to L + 1 with the last set to EOS
//   332 ids, vocabulary 2  leading silence, continuations, CUT where the music goes on
//                          (music/event_vocabulary2.hpp). No EOS after CUT; what is cut to L + 1 gets none
//   others                 refused. (A music_transformer of 390 ids learns from excerpts as long as its
//                          sequence, music/performance_vocabulary.hpp)
//
// Cost: O(N log N) of a pair's N notes for its tokens. Errors: InputError that names the pair for a window
// longer than it or outside it, a length or hop that is no positive number, a vocabulary without an encoder.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numeric>
#include <span>
#include <string>
#include <vector>

#include "imu2music/core/error.hpp"
#include "imu2music/imu/recording.hpp"
#include "imu2music/io/model_config.hpp"
#include "imu2music/io/text.hpp"
#include "imu2music/music/event_vocabulary.hpp"
#include "imu2music/music/event_vocabulary2.hpp"
#include "imu2music/music/note.hpp"
#include "imu2music/train/dataset.hpp"

namespace imu2music::inline v0 {

struct Window {
  std::size_t pair = 0;  // index into the data set's pairs
  double start_s = 0;
  double seconds = 0;

  friend bool operator==(const Window&, const Window&) = default;
};

namespace windows_detail {

inline constexpr double rounding = 1e-9;  // of times that are sums

inline void check_length(double seconds, double hop) {
  if (!(seconds > 0) || !std::isfinite(seconds) || !(hop > 0) || !std::isfinite(hop))
    throw InputError("windows of " + number_text(seconds) + " s every " + number_text(hop) +
                     " s cannot be cut; both should be above 0");
}

inline void check_inside(const PairInfo& pair, double start, double seconds) {
  check_length(seconds, seconds);
  if (!(start >= 0) || !(start + seconds <= pair.seconds + rounding))
    throw InputError("pair " + pair.id,
                     "a window from " + number_text(start) + " s to " + number_text(start + seconds) +
                         " s lies outside its " + number_text(pair.seconds) + " s",
                     "choose a window within it");
}

}  // namespace windows_detail

// Those of `which` that last `seconds` or more.
inline std::vector<std::size_t> long_enough(std::span<const PairInfo> pairs,
                                            std::span<const std::size_t> which, double seconds) {
  std::vector<std::size_t> kept;
  for (const std::size_t i : which)
    if (pairs[i].seconds + windows_detail::rounding >= seconds) kept.push_back(i);
  return kept;
}

// The windows that start at 0, hop, 2 hop, … and end within their pair, pair after pair as `which` has them.
// What a pair has left after its last window is in none. InputError where a pair is shorter than a window.
inline std::vector<Window> even_windows(std::span<const PairInfo> pairs, std::span<const std::size_t> which,
                                        double seconds, double hop) {
  windows_detail::check_length(seconds, hop);
  std::vector<Window> windows;
  for (const std::size_t i : which) {
    const double room = pairs[i].seconds - seconds + windows_detail::rounding;
    if (!(room >= 0))
      throw InputError("pair " + pairs[i].id,
                       "lasts " + number_text(pairs[i].seconds) + " s, less than a window of " +
                           number_text(seconds) + " s",
                       "choose shorter windows, or leave the pair out");
    const double count = std::floor(room / hop) + 1;
    if (count > 1e8)
      throw InputError("pair " + pairs[i].id, "has more than 10^8 windows", "choose a longer hop");
    for (std::size_t k = 0; k < static_cast<std::size_t>(count); ++k)
      windows.push_back({i, static_cast<double>(k) * hop, seconds});
  }
  return windows;
}

inline std::vector<Window> even_windows(std::span<const PairInfo> pairs, double seconds, double hop) {
  std::vector<std::size_t> all(pairs.size());
  std::iota(all.begin(), all.end(), std::size_t{0});
  return even_windows(pairs, all, seconds, hop);
}

// The notes that sound in the window, seconds from its start, by start.
inline std::vector<Note> notes_in(const Pair& pair, double start, double seconds) {
  windows_detail::check_inside(pair.info, start, seconds);
  std::vector<Note> inside;
  for (Note note : pair.notes) {
    const bool begins = note.start >= start && note.start < start + seconds;
    const bool continues = note.start < start && note.end > start;
    if (!begins && !continues) continue;
    note.start -= start;
    note.end -= start;
    inside.push_back(note);
  }
  return inside;
}

// The tokens of a window of these notes, which are those of the whole piece: what comes after the window
// decides whether it is cut; `goes_on` says that there is more after the last of them. Times are on the
// notes' axis; `name` is the piece's, for messages.
inline std::vector<int> window_tokens(const ModelConfig& config, std::span<const Note> notes, double start,
                                      double seconds, const std::string& name, bool goes_on = false) {
  windows_detail::check_length(seconds, seconds);
  const auto L = static_cast<std::size_t>(config.max_sequence);
  const auto sequence = [&]<class Vocabulary>(const std::vector<int>& ids, Vocabulary) {
    ModelTokens tokens = model_tokens<Vocabulary>(ids, L);
    std::vector<int> all = std::move(tokens.x);
    all.push_back(tokens.y.back());
    while (!all.empty() && all.back() == Vocabulary::pad) all.pop_back();
    return all;
  };
  if (config.vocabulary == EventVocabulary1::size) {
    std::vector<Note> inside;
    for (Note note : notes) {
      if (!(note.start >= start && note.start < start + seconds)) continue;
      note.end = std::min(note.end, start + seconds);
      inside.push_back(note);
    }
    return sequence(EventVocabulary1::encode(inside), EventVocabulary1{});
  }
  if (config.vocabulary == EventVocabulary2::size) {
    std::vector<int> ids = EventVocabulary2::encode_window(notes, start, start + seconds);
    if (goes_on && (ids.empty() || ids.back() != EventVocabulary2::cut)) ids.push_back(EventVocabulary2::cut);
    return sequence(ids, EventVocabulary2{});
  }
  throw InputError(
      name, "its notes cannot be written in a vocabulary of " + std::to_string(config.vocabulary) + " ids",
      "243 (vocabulary 1) and 332 (vocabulary 2) can, and 390 by a music_transformer");
}

inline std::vector<int> window_tokens(const ModelConfig& config, const Pair& pair, double start,
                                      double seconds) {
  windows_detail::check_inside(pair.info, start, seconds);
  return window_tokens(config, pair.notes, start, seconds, "pair " + pair.info.id, pair.info.goes_on);
}

// x and y of one list of tokens, both padded with `pad` to length L: x[i + 1] is y[i] for all i.
inline ModelTokens inputs_and_targets(std::span<const int> tokens, std::size_t L, int pad) {
  if (tokens.size() < 2 || tokens.size() > L + 1)
    throw ShapeError("[inputs_and_targets] " + std::to_string(tokens.size()) + " tokens; 2 to " +
                     std::to_string(L + 1) + " make inputs and targets of length " + std::to_string(L));
  ModelTokens result{{tokens.begin(), tokens.end() - 1}, {tokens.begin() + 1, tokens.end()}};
  result.x.resize(L, pad);
  result.y.resize(L, pad);
  return result;
}

}  // namespace imu2music::inline v0
