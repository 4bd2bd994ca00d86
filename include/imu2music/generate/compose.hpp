// Music for a recording: window after window of motion, each decoded by itself, on one timeline.
//
// The model sees 6 s of motion at a time (150 frames at 25 Hz). Window w covers the frames from 150 w on; its
// events start at its first frame (vocabulary 1 has no leading silence) and end at EOS, at the window's end,
// or after max_tokens. A pitch struck again ends the note before it. Notes that ring beyond their window are
// cut there, since the next window's music knows nothing of them. A last window that the recording does not
// fill is completed by holding the last frame; music after the recording's end is left out. PAD and SOS are
// never chosen.
//
// Each window draws from its own random stream, (seed, window), so the music of a window depends on the
// motion in it and the seed alone.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "imu2music/generate/sampler.hpp"
#include "imu2music/generate/session.hpp"
#include "imu2music/imu/recording.hpp"
#include "imu2music/imu/reference_features.hpp"
#include "imu2music/imu/resample.hpp"
#include "imu2music/music/event_vocabulary.hpp"
#include "imu2music/music/note.hpp"

namespace imu2music::inline v0 {

struct ComposeOptions {
  SamplerOptions sampler;
  std::int64_t max_tokens = 0;  // a window; 0 or more than the model's positions: as many as it has
  bool fill_windows = false;    // do not let a window end before its time is used up (EOS masked)
  double start_s = 0;           // where in the recording to begin
  double duration_s = 0;        // how much of it to use; 0: to its end
  std::function<void(std::int64_t done, std::int64_t of)> on_window = {};
};

struct ComposedWindow {
  double start_s = 0;      // on the recording's time axis
  std::vector<int> ids;    // the events, without SOS; EOS included where it came
  std::int64_t notes = 0;  // kept
  bool out_of_tokens = false;
};

struct Composition {
  std::vector<Note> notes;  // seconds from start_s
  std::vector<ComposedWindow> windows;
  double start_s = 0, duration_s = 0;
  std::int64_t held_frames = 0;  // of the last window, beyond the end of the part asked for
};

// The ids of one window over the memory that `session` has been started with.
template <class T>
std::vector<int> decode_window(Session<T>& session, Sampler<T>& sampler, double window_s,
                               std::int64_t max_tokens, bool fill_window,
                               EventDecoder<EventVocabulary1>& decoder, bool& out_of_tokens) {
  using Vocabulary = EventVocabulary1;
  std::vector<std::uint8_t> allowed(static_cast<std::size_t>(session.model().config.vocabulary), 1);
  allowed[Vocabulary::sos] = allowed[Vocabulary::pad] = 0;
  allowed[Vocabulary::eos] = !fill_window;
  std::vector<int> ids;
  ids.reserve(static_cast<std::size_t>(max_tokens));
  decoder.reserve(static_cast<std::size_t>(max_tokens));
  decoder.reset();
  std::int64_t token = Vocabulary::sos;
  out_of_tokens = false;
  while (true) {
    const auto logits = session.step(token);
    token = sampler.choose(session.context(), logits.data(), allowed.data());
    ids.push_back(static_cast<int>(token));
    decoder.push(static_cast<int>(token));
    if (decoder.ended() || decoder.time_s() >= window_s) break;
    if (static_cast<std::int64_t>(ids.size()) >= max_tokens) {
      out_of_tokens = true;
      break;
    }
  }
  decoder.finish();
  return ids;
}

// Music for the recording, whose armbands are brought to 25 Hz first. Throws InputError where the recording
// lacks what the model wants or start and duration lie outside it, ShapeError where the vocabulary is not
// vocabulary 1.
template <class T>
Composition compose(Session<T>& session, const Recording& recording, const ComposeOptions& options) {
  const auto& config = session.model().config;
  detail::require(config.vocabulary == EventVocabulary1::size, "compose", [&] {
    return "a vocabulary of " + std::to_string(config.vocabulary) + " is not vocabulary 1 with its " +
           std::to_string(EventVocabulary1::size) + " ids";
  });
  const Recording motion = at_rate(recording, reference_rate_hz);
  const std::int64_t frames = reference_frame_count(motion);
  const double length_s = static_cast<double>(frames) / reference_rate_hz;
  if (!(options.start_s >= 0) || !(options.start_s < length_s))
    throw InputError(recording.source, "cannot start at " + number_text(options.start_s) + " s",
                     "the recording lasts from 0 to " + number_text(length_s) + " s");
  if (!(options.duration_s >= 0))
    throw InputError(recording.source, "cannot use a duration of " + number_text(options.duration_s) + " s",
                     "use more than 0 s, or leave it out for the whole recording");
  const auto first =
      std::min(static_cast<std::int64_t>(std::llround(options.start_s * reference_rate_hz)), frames - 1);
  std::int64_t count = frames - first;
  if (options.duration_s > 0)
    count = std::clamp<std::int64_t>(
        static_cast<std::int64_t>(std::llround(std::min(options.duration_s, length_s) * reference_rate_hz)),
        1, count);

  Composition composition;
  composition.start_s = static_cast<double>(first) / reference_rate_hz;
  composition.duration_s = static_cast<double>(count) / reference_rate_hz;
  const std::int64_t window = reference_window_frames, windows = (count + window - 1) / window;
  const double window_s = static_cast<double>(window) / reference_rate_hz;
  std::int64_t most = session.capacity();
  if (options.max_tokens > 0) most = std::min(most, options.max_tokens);

  constexpr double microseconds = 1e6;  // a second
  Sampler<T> sampler(config.vocabulary, options.sampler);
  EventDecoder<EventVocabulary1> decoder;
  std::vector<float> features(static_cast<std::size_t>(2 * 3 * window));
  Tensor<T> input(Shape{1, 2, 3, window});
  for (std::int64_t w = 0; w < windows; ++w) {
    const std::int64_t begin = w * window;
    reference_features(motion, first + begin, window, features, WindowEnd::hold_last);
    std::copy(features.begin(), features.end(), input.data());
    session.start_from_motion(input);
    sampler.start(static_cast<std::uint64_t>(w));

    const auto notes_before = static_cast<std::int64_t>(composition.notes.size());
    ComposedWindow composed;
    composed.start_s = static_cast<double>(first + begin) / reference_rate_hz;
    const double offset_s = static_cast<double>(begin) / reference_rate_hz;
    const double end_s = std::min(window_s, static_cast<double>(count - begin) / reference_rate_hz);
    composed.ids =
        decode_window(session, sampler, end_s, most, options.fill_windows, decoder, composed.out_of_tokens);
    std::vector<Note> kept;
    for (Note note : decoder.notes()) {
      if (note.start >= end_s) continue;
      note.end = std::min(note.end, end_s);
      kept.push_back(note);
    }
    // One sounding note a pitch: the model may strike a pitch again before it has let it go.
    for (const GridNote& note : notes_on_grid(kept, microseconds))
      composition.notes.push_back({note.pitch, note.velocity,
                                   offset_s + static_cast<double>(note.start) / microseconds,
                                   offset_s + static_cast<double>(note.end) / microseconds});
    composed.notes = static_cast<std::int64_t>(composition.notes.size()) - notes_before;
    composition.windows.push_back(std::move(composed));
    if (options.on_window) options.on_window(w + 1, windows);
  }
  composition.held_frames = std::max<std::int64_t>(0, first + windows * window - frames);
  return composition;
}

}  // namespace imu2music::inline v0
