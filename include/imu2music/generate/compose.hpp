// Music for a recording: window after window of motion, each decoded by itself, on one timeline.
//
// The model sees 6 s of motion at a time (150 frames at 25 Hz). Window w covers the frames from 150 w on; its
// events start at its first frame (vocabulary 1 has no leading silence) and end at EOS, at the window's end,
// or after max_tokens. A pitch struck again ends the note before it. Notes that ring beyond their window are
// cut there, since the next window's music knows nothing of them. A last window that the recording does not
// fill is completed by holding the last frame; music after the recording's end is left out.
//
// Each id is drawn by the sampler (generate/sampler.hpp) or, with `beam`, the window is the best sequence
// that a beam search finds (generate/beam.hpp), over what the grammar allows (generate/event_grammar.hpp).
//
// Each window draws from its own random stream, (seed, window), so the music of a window depends on the
// motion in it and the seed alone; windows decoded side by side (`batch`) give the same music as one by one.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "imu2music/core/parallel.hpp"
#include "imu2music/generate/beam.hpp"
#include "imu2music/generate/event_grammar.hpp"
#include "imu2music/generate/sampler.hpp"
#include "imu2music/generate/session.hpp"
#include "imu2music/generate/session_beam.hpp"
#include "imu2music/imu/recording.hpp"
#include "imu2music/imu/reference_features.hpp"
#include "imu2music/imu/resample.hpp"
#include "imu2music/music/event_vocabulary.hpp"
#include "imu2music/music/note.hpp"

namespace imu2music::inline v0 {

// One event of the music, as it comes.
struct ComposedEvent {
  std::int64_t window = 0;       // counted from 0
  int id = 0;                    // of vocabulary 1
  double time_s = 0;             // where the music stands after it, from Composition::start_s on
  bool primed = false;           // forced by ComposeOptions::prime
  std::optional<Note> closed{};  // the note that it closed, on that axis; not yet cut at the window's end
};

struct ComposeOptions {
  SamplerOptions sampler;
  std::int64_t max_tokens = 0;  // a window; 0 or more than the model's positions: as many as it has
  bool fill_windows = false;    // do not let a window end before its time is used up (EOS masked)
  double start_s = 0;           // where in the recording to begin
  double duration_s = 0;        // how much of it to use; 0: to its end
  std::function<void(std::int64_t done, std::int64_t of)> on_window = {};
  // Called for every event in order of time, from the calling thread: at once while windows are drawn one by
  // one; after each group of windows with batch > 1, and after each window with a beam.
  std::function<void(const ComposedEvent&)> on_event = {};
  bool note_off_needs_note_on = true;    // no note_off of a pitch that does not sound
  std::optional<BeamOptions> beam = {};  // search instead of drawing; of `sampler` nothing is used then
  // Notes that open the first window: its first events are theirs, as far as they fit, and the model goes on
  // from there. Silence before the first of them is left out, as vocabulary 1 does.
  std::vector<Note> prime = {};
  std::int64_t batch = 1;  // windows decoded side by side, on as many threads as the session has; 1 to 1024
};

struct ComposedWindow {
  double start_s = 0;      // on the recording's time axis
  std::vector<int> ids;    // the events, without SOS; EOS included where it came
  std::int64_t notes = 0;  // kept
  bool out_of_tokens = false;
  std::int64_t primed_events = 0;  // of ids, from the first on
  double log_probability = 0;      // of the ids after those; with a beam only
  double score = 0;                // the same by the length penalty
};

struct Composition {
  std::vector<Note> notes;  // seconds from start_s
  std::vector<ComposedWindow> windows;
  double start_s = 0, duration_s = 0;
  std::int64_t held_frames = 0;  // of the last window, beyond the end of the part asked for
};

// Where a window's music stands: what it has said, what may follow, whether it is over.
class WindowState {
 public:
  using Vocabulary = EventVocabulary1;

  WindowState(double window_s, const GrammarOptions& grammar) : window_s_(window_s), grammar_(grammar) {}

  void reserve(std::size_t most_notes) { decoder_.reserve(most_notes); }
  void start(double window_s) {
    window_s_ = window_s;
    decoder_.reset();
  }
  const std::uint8_t* allowed() { return grammar_.allowed(decoder_); }
  const Note* push(int id) { return decoder_.push(id); }
  bool ended() const { return decoder_.ended() || decoder_.time_s() >= window_s_; }
  EventDecoder<Vocabulary>& decoder() { return decoder_; }

 private:
  double window_s_;
  EventDecoder<Vocabulary> decoder_;
  EventGrammar<Vocabulary> grammar_;
};

// The ids of one window, drawn, over the memory that `session` has been started with; `prime` comes first.
// Each id, and the note that it closed or null, is handed to `report`.
template <class T, class Report>
ComposedWindow decode_window(Session<T>& session, Sampler<T>& sampler, std::int64_t max_tokens,
                             std::span<const int> prime, WindowState& state, const Report& report) {
  ComposedWindow window;
  window.ids.reserve(static_cast<std::size_t>(max_tokens));
  state.reserve(static_cast<std::size_t>(max_tokens));
  std::int64_t token = EventVocabulary1::sos;
  while (true) {
    const auto logits = session.step(token);
    if (window.ids.size() < prime.size()) {
      token = prime[window.ids.size()];
      sampler.observe(token);
      ++window.primed_events;
    } else {
      token = sampler.choose(session.context(), logits.data(), state.allowed());
    }
    window.ids.push_back(static_cast<int>(token));
    report(static_cast<int>(token), state.push(static_cast<int>(token)));
    if (state.ended()) break;
    if (static_cast<std::int64_t>(window.ids.size()) >= max_tokens) {
      window.out_of_tokens = true;
      break;
    }
  }
  return window;
}

// The same by beam search; `beam`'s slot 0 has been started. The state comes back as after the best ids.
template <class T>
ComposedWindow search_window(SessionBeam<T>& beam, const BeamOptions& options, std::int64_t max_tokens,
                             std::span<const int> prime, WindowState& state) {
  ComposedWindow window;
  std::vector<std::int64_t> prefix = {EventVocabulary1::sos};
  for (int id : prime) {
    if (state.ended() || window.primed_events >= max_tokens) break;
    window.ids.push_back(id);
    prefix.push_back(id);
    state.push(id);
    ++window.primed_events;
  }
  if (!state.ended() && window.primed_events < max_tokens) {
    BeamOptions best_only = options;
    best_only.n_best = 1;
    auto best = beam_search(beam, state, std::span<const std::int64_t>(prefix),
                            max_tokens - window.primed_events, best_only);
    window.ids.insert(window.ids.end(), best[0].ids.begin(), best[0].ids.end());
    window.log_probability = best[0].log_probability;
    window.score = best[0].score;
    state = std::move(best[0].state);
  }
  window.out_of_tokens = !state.ended();
  return window;
}

// Why weights of this config cannot compose for a recording of two armbands; empty where they can.
inline std::string composing_obstacle(const ModelConfig& config) {
  if (config.encoder == "none") return "writes music without motion";
  if (config.encoder == "pose") return "takes keypoints of a body or of hands, which a recording lacks";
  if (config.encoder == "temporal")
    return "takes standardised channels, which are not prepared from recordings";
  if (config.encoder == "conv_transformer" && config.rows != 9)
    return "takes " + std::to_string(config.rows) + " rows a sensor, where a recording gives 9 axes";
  if (config.vocabulary != EventVocabulary1::size)
    return "writes a vocabulary of " + std::to_string(config.vocabulary) + " ids";
  return {};
}

// The rows a sensor that the model takes: all nine axes, or three features.
inline std::int64_t motion_rows(const ModelConfig& config) {
  return config.encoder == "fully_connected" || config.encoder == "conv_transformer" ? 9 : 3;
}

// Music for the recording, whose armbands are brought to 25 Hz first. Throws InputError where the recording
// lacks what the model wants, start and duration lie outside it or an option is out of range, Error where
// composing_obstacle() finds one.
template <class T>
Composition compose(Session<T>& session, const Recording& recording, const ComposeOptions& options) {
  const auto& config = session.model().config;
  if (const std::string obstacle = composing_obstacle(config); !obstacle.empty())
    throw Error("[compose] this model " + obstacle);
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

  if (options.batch < 1 || options.batch > 1024)
    throw InputError("a batch of " + std::to_string(options.batch) +
                     " windows cannot be decoded; use 1 to 1024");
  if (options.beam) check_beam_options(*options.beam);
  const std::vector<int> prime = EventVocabulary1::encode(options.prime);
  if (prime.empty() && !options.prime.empty())
    throw InputError(
        "the notes to begin with cannot be used: none lies between A0 and C8, pitches 21 to 108");

  // What one window needs while it is decoded; the first lane's session is the caller's.
  struct Lane {
    std::unique_ptr<Session<T>> own;
    Session<T>& session;
    Sampler<T> sampler;
    WindowState state;
    std::vector<float> features;
    Tensor<T> input;
    std::unique_ptr<SessionBeam<T>> beam;
    ComposedWindow window;
  };
  const std::int64_t rows = motion_rows(config);
  const GrammarOptions grammar{!options.fill_windows, options.note_off_needs_note_on};
  std::vector<Lane> lanes;
  const auto batch = static_cast<std::size_t>(std::min(options.batch, windows));
  lanes.reserve(batch);
  while (lanes.size() < batch) {
    std::unique_ptr<Session<T>> own;
    if (!lanes.empty()) own = std::make_unique<Session<T>>(session.model(), 1, session.memory_length());
    Session<T>& used = own ? *own : session;
    lanes.push_back({std::move(own),
                     used,
                     Sampler<T>(config.vocabulary, options.sampler),
                     WindowState(window_s, grammar),
                     std::vector<float>(static_cast<std::size_t>(2 * rows * window)),
                     Tensor<T>(Shape{1, 2, rows, window}),
                     nullptr,
                     {}});
    if (options.beam) lanes.back().beam = std::make_unique<SessionBeam<T>>(used, options.beam->width);
  }

  const auto offset_of = [&](std::int64_t w) { return static_cast<double>(w * window) / reference_rate_hz; };
  const auto end_of_window = [&](std::int64_t w) {
    return std::min(window_s, static_cast<double>(count - w * window) / reference_rate_hz);
  };
  const bool live = batch == 1 && !options.beam;  // events can be told as they come
  const auto tell = [&](std::int64_t w, int id, bool primed, const Note* closed, double time_s) {
    ComposedEvent event{w, id, offset_of(w) + time_s, primed};
    if (closed != nullptr) {
      event.closed = *closed;
      event.closed->start += offset_of(w);
      event.closed->end += offset_of(w);
    }
    options.on_event(event);
  };
  const auto decode = [&](Lane& lane, std::int64_t w) {
    const std::int64_t begin = w * window;
    if (rows == 9)
      reference_axes(motion, first + begin, window, lane.features, WindowEnd::hold_last);
    else
      reference_features(motion, first + begin, window, lane.features, WindowEnd::hold_last);
    std::copy(lane.features.begin(), lane.features.end(), lane.input.data());
    lane.session.start_from_motion(lane.input);
    lane.sampler.start(static_cast<std::uint64_t>(w));
    lane.state.start(end_of_window(w));
    const std::span<const int> forced = w == 0 ? std::span<const int>(prime) : std::span<const int>();
    if (options.beam) {
      lane.window = search_window(*lane.beam, *options.beam, most, forced, lane.state);
    } else {
      std::size_t told = 0;
      lane.window = decode_window(
          lane.session, lane.sampler, most, forced, lane.state, [&](int id, const Note* closed) {
            if (live && options.on_event)
              tell(w, id, told++ < forced.size(), closed, lane.state.decoder().time_s());
          });
    }
    lane.state.decoder().finish();
  };

  constexpr double microseconds = 1e6;  // a second
  for (std::int64_t group = 0; group < windows; group += static_cast<std::int64_t>(batch)) {
    const std::int64_t in_group = std::min(static_cast<std::int64_t>(batch), windows - group);
    parallel_for(session.context().threads(), in_group, 1, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t n = begin; n < end; ++n) decode(lanes[static_cast<std::size_t>(n)], group + n);
    });
    for (std::int64_t w = group; w < group + in_group; ++w) {
      Lane& lane = lanes[static_cast<std::size_t>(w - group)];
      ComposedWindow composed = std::move(lane.window);
      if (options.on_event && !live) {
        EventDecoder<EventVocabulary1> decoder;
        for (std::size_t n = 0; n < composed.ids.size(); ++n) {
          const Note* closed = decoder.push(composed.ids[n]);
          tell(w, composed.ids[n], static_cast<std::int64_t>(n) < composed.primed_events, closed,
               decoder.time_s());
        }
      }
      const auto notes_before = static_cast<std::int64_t>(composition.notes.size());
      composed.start_s = static_cast<double>(first + w * window) / reference_rate_hz;
      const double end_s = end_of_window(w);
      std::vector<Note> kept;
      for (Note note : lane.state.decoder().notes()) {
        if (note.start >= end_s) continue;
        note.end = std::min(note.end, end_s);
        kept.push_back(note);
      }
      // One sounding note a pitch: the model may strike a pitch again before it has let it go.
      for (const GridNote& note : notes_on_grid(kept, microseconds))
        composition.notes.push_back({note.pitch, note.velocity,
                                     offset_of(w) + static_cast<double>(note.start) / microseconds,
                                     offset_of(w) + static_cast<double>(note.end) / microseconds});
      composed.notes = static_cast<std::int64_t>(composition.notes.size()) - notes_before;
      composition.windows.push_back(std::move(composed));
      if (options.on_window) options.on_window(w + 1, windows);
    }
  }
  composition.held_frames = std::max<std::int64_t>(0, first + windows * window - frames);
  return composition;
}

}  // namespace imu2music::inline v0
