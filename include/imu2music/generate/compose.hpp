// Music for a recording: window after window of motion, on one timeline.
//
// A window is 6 s for the encoders of armbands and of keypoints, and the config's window_ms for a temporal
// encoder; of armbands the last one is completed by holding the last frame, of the others it is as short as
// the recording leaves it. Of a part of a recording (start_s, duration_s) only its frames, at the model's
// rate, are heard: it ends as though the recording did. Each id is drawn by the sampler
// (generate/sampler.hpp) or, with `beam`, the window is a sequence that a beam search finds
// (generate/beam.hpp), over what the grammar allows (generate/event_grammar.hpp). Each window draws from its
// own random stream, (seed, window). A pitch struck again ends the note before it; music after the
// recording's end is left out.
//
// On a GPU windows are decoded one after another, many tokens a launch (generate/device_windows.hpp), where
// the model and the options allow it: no control, no beam, no weights in int8, no LSTM.
//
// Vocabulary 1: every window is decoded by itself, so its music depends on the motion in it and the seed
// alone, and windows decoded side by side (`batch`) give the same music as one by one. Its events start at
// its first frame (there is no leading silence) and end at EOS, at the window's end, or after max_tokens.
// Notes that ring beyond their window are cut there, since the next window's music knows nothing of them.
//
// Vocabulary 2: the windows follow on one another. A note that sounds at a window's end sounds on: the next
// window is told so by (velocity, continued) ids at its beginning, and the model goes on from there, so it
// may let the note go. (Of the sounding notes the latest are continued, at most a quarter as many as a window
// has ids; the others end at the border.) Silence before a window's first event is its time_shifts. EOS ends
// the window and the notes that sound; CUT and running out of tokens end the window only.
// With a hop below the window's length, windows overlap: window w + 1 begins so much before the end of the
// music, is told the music from its beginning on, as ids, and goes on where that ends. Where these ids would
// take more than half of its tokens, it begins where the music ends. What a window is told is counted in
// ComposedWindow::primed_events. Windows of vocabulary 2 depend on those before them, so `batch` changes
// nothing.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "imu2music/core/parallel.hpp"
#include "imu2music/generate/beam.hpp"
#include "imu2music/generate/device_windows.hpp"
#include "imu2music/generate/motion_inputs.hpp"
#include "imu2music/generate/sampler.hpp"
#include "imu2music/generate/session.hpp"
#include "imu2music/generate/session_beam.hpp"
#include "imu2music/generate/session_group.hpp"
#include "imu2music/generate/window.hpp"
#include "imu2music/imu/recording.hpp"
#include "imu2music/music/event_vocabulary.hpp"
#include "imu2music/music/event_vocabulary2.hpp"
#include "imu2music/music/notes.hpp"

namespace imu2music::inline v0 {

// One event of the music, as it comes.
struct ComposedEvent {
  std::int64_t window = 0;  // counted from 0
  int id = 0;               // of the model's vocabulary
  // Where the music stands after it, from Composition::start_s on: its window's end at the latest, also where
  // a time_shift leads beyond it, so that times never fall.
  double time_s = 0;
  bool primed = false;           // forced by ComposeOptions::prime
  std::optional<Note> closed{};  // the note that it closed, on that axis; not yet cut at the window's end
};

struct ComposeOptions {
  SamplerOptions sampler;
  std::int64_t max_tokens = 0;  // a window; 0 or more than the model's positions: as many as it has
  bool fill_windows = false;    // do not let a window end before its time is used up (EOS, CUT masked)
  double start_s = 0;           // where in the recording to begin
  double duration_s = 0;        // how much of it to use; 0: to its end
  std::function<void(std::int64_t done, std::int64_t of)> on_window = {};
  // Called for every event in order of time, from the calling thread: at once while windows are drawn one by
  // one on the CPU; window by window with batch > 1, a beam or a device. What a window is told of the music
  // before it is no event.
  std::function<void(const ComposedEvent&)> on_event = {};
  bool note_off_needs_note_on = true;    // no note_off of a pitch that does not sound
  std::optional<BeamOptions> beam = {};  // search instead of drawing; of `sampler` nothing is used then
  std::int64_t beam_rank =
      1;  // of each window's sequences the best, the second best …: 1 to the beam's width
  // Notes that open the first window: its first events are theirs, as far as they fit, and the model goes on
  // from there. Vocabulary 1 leaves out the silence before the first of them. With vocabulary 2 notes that
  // sound or begin after the first window's end fill it, and the model goes on in the next.
  std::vector<Note> prime = {};
  std::string prime_source = {};  // the file that they come from, for messages
  // Windows decoded side by side, each weight being read once for all; 1 to 1024. They share the session's
  // threads, and each has caches of its own.
  std::int64_t batch = 1;
  double hop_s = 0;  // vocabulary 2: from one window's beginning to the next's, at most a window; 0: a window
};

struct Composition {
  std::vector<Note> notes;  // seconds from start_s
  std::vector<ComposedWindow> windows;
  double start_s = 0, duration_s = 0;
  std::int64_t held_frames = 0;                // of the last window, beyond the end of the part asked for
  std::vector<std::string> motion_notes = {};  // MotionInputs::notes
};

// Throws InputError for a beam, or a rank of its sequences, that is out of range.
inline void check_beam(const ComposeOptions& options) {
  if (!options.beam) return;
  check_beam_options(*options.beam);
  if (options.beam_rank < 1 || options.beam_rank > options.beam->width)
    throw InputError("rank " + std::to_string(options.beam_rank) + " of a beam " +
                     std::to_string(options.beam->width) + " wide cannot be given; use 1 to its width");
}

// "FILE: the notes to begin with", for messages.
inline std::string name_of_prime(const ComposeOptions& options) {
  return (options.prime_source.empty() ? "" : options.prime_source + ": ") + "the notes to begin with";
}

// Throws InputError where there are notes to begin with and vocabularies 1 and 2 can write none of them.
inline void check_prime(const ComposeOptions& options) {
  if (!options.prime.empty() &&
      std::none_of(options.prime.begin(), options.prime.end(), [](const Note& note) {
        return EventVocabulary1::has_pitch(note.pitch) && (note.start >= 0 || note.end > 0);
      }))
    throw InputError(name_of_prime(options) +
                     " cannot be used: none from 0 s on lies between A0 and C8, pitches 21 to 108");
}

// Why weights of this config cannot compose for a recording; empty where they can.
inline std::string composing_obstacle(const ModelConfig& config) {
  if (config.encoder == "none") return "writes music without motion";
  if (config.encoder == "conv_transformer" && config.rows != 9)
    return "takes " + std::to_string(config.rows) + " rows a sensor, where a recording gives 9 axes";
  if (config.vocabulary != EventVocabulary1::size && config.vocabulary != EventVocabulary2::size)
    return "writes a vocabulary of " + std::to_string(config.vocabulary) + " ids";
  return {};
}

namespace compose_detail {

// The part of a recording that is asked for, in frames.
struct Part {
  std::int64_t first = 0, count = 0;
};

inline Part part_of(const MotionInputs& motion, const ComposeOptions& options) {
  const double end_s = motion.time_s(motion.frames);
  // Where all is asked for, that is from where the motion begins, be it before 0.
  const double start_s = options.start_s == 0 ? std::min(motion.start_s, 0.0) : options.start_s;
  if (!(options.start_s >= 0) || !(start_s < end_s))
    throw InputError(
        motion.source, "cannot start at " + number_text(options.start_s) + " s",
        "the recording lasts from " + number_text(motion.start_s) + " to " + number_text(end_s) + " s");
  if (!(options.duration_s >= 0))
    throw InputError(motion.source, "cannot use a duration of " + number_text(options.duration_s) + " s",
                     "use more than 0 s, or leave it out for the whole recording");
  const auto frames_in = [&](double seconds) {
    return static_cast<std::int64_t>(std::llround(seconds * motion.rate_hz));
  };
  Part part;
  part.first = std::clamp<std::int64_t>(frames_in(start_s - motion.start_s), 0, motion.frames - 1);
  part.count = motion.frames - part.first;
  if (options.duration_s > 0)
    part.count = std::clamp<std::int64_t>(
        frames_in(std::min(options.duration_s, motion.seconds(motion.frames))), 1, part.count);
  return part;
}

template <class T>
std::int64_t most_tokens(const Session<T>& session, const ComposeOptions& options) {
  if (options.max_tokens < 0)
    throw InputError("cannot write " + std::to_string(options.max_tokens) +
                     " tokens a window; 0 is as many as the model has positions");
  return options.max_tokens > 0 ? std::min(session.capacity(), options.max_tokens) : session.capacity();
}

inline Composition empty_composition(const MotionInputs& motion, const Part& part) {
  Composition composition;
  composition.start_s = motion.time_s(part.first);
  composition.duration_s = motion.seconds(part.count);
  composition.motion_notes = motion.notes;
  return composition;
}

// Windows that know nothing of each other.
template <class T>
Composition compose_apart(Session<T>& session, const MotionInputs& motion, const ComposeOptions& options) {
  using Vocabulary = EventVocabulary1;
  if (options.hop_s != 0)
    throw InputError("a hop of " + number_text(options.hop_s) +
                     " s cannot be used with weights of vocabulary 1: their windows do not overlap");
  const Part part = part_of(motion, options);
  const std::int64_t first = part.first, count = part.count;
  Composition composition = empty_composition(motion, part);
  const std::int64_t window = motion.window_frames, windows = (count + window - 1) / window;
  const double window_s = motion.seconds(window);
  const std::int64_t most = most_tokens(session, options);
  const std::vector<int> prime = Vocabulary::encode(options.prime);

  // What one window needs while it is decoded; the first lane's session is the caller's.
  struct Lane {
    std::unique_ptr<Session<T>> own;
    Session<T>& session;
    Sampler<T> sampler;
    WindowState<Vocabulary> state;
    std::unique_ptr<SessionBeam<T>> beam;
    std::int64_t w = -1;  // the window that it decodes; -1: none
    ComposedWindow window;
    std::size_t told = 0;  // events
    bool over = false;
  };
  const GrammarOptions grammar{!options.fill_windows, options.note_off_needs_note_on};
  const auto on_device = options.beam ? nullptr : DeviceWindows<T>::of(session, options.sampler, grammar);
  std::vector<Lane> lanes;
  const auto batch = on_device ? 1 : static_cast<std::size_t>(std::min(options.batch, windows));
  lanes.reserve(batch);
  while (lanes.size() < batch) {
    std::unique_ptr<Session<T>> own;
    if (!lanes.empty()) {
      own = std::make_unique<Session<T>>(session.model(), 1, session.memory_length());
      own->set_control_of(session);
    }
    Session<T>& used = own ? *own : session;
    lanes.push_back({std::move(own),
                     used,
                     Sampler<T>(session.model().config.vocabulary, options.sampler),
                     WindowState<Vocabulary>(window_s, grammar),
                     nullptr,
                     -1,
                     {},
                     0,
                     false});
    if (options.beam) lanes.back().beam = std::make_unique<SessionBeam<T>>(used, options.beam->width);
  }

  const auto offset_of = [&](std::int64_t w) { return motion.seconds(w * window); };
  const auto end_of_window = [&](std::int64_t w) {
    return std::min(window_s, motion.seconds(count - w * window));
  };
  const auto prime_of = [&](std::int64_t w) {
    return w == 0 ? std::span<const int>(prime) : std::span<const int>();
  };
  const bool live = batch == 1 && !options.beam;  // events can be told as they come
  const auto tell = [&](std::int64_t w, int id, bool primed, const Note* closed, double time_s) {
    const double end_s =
        motion.seconds(std::min((w + 1) * window, count));  // to the bit where the next begins
    ComposedEvent event{w, id, std::min(offset_of(w) + time_s, end_s), primed};
    if (closed != nullptr) {
      event.closed = *closed;
      event.closed->start += offset_of(w);
      event.closed->end += offset_of(w);
    }
    options.on_event(event);
  };
  const auto start = [&](Lane& lane) {
    const std::int64_t begin = lane.w * window;
    const Tensor<T> input = motion.input<T>(first + begin, std::min(window, count - begin));
    if (on_device)
      on_device->start(input);
    else
      lane.session.start_from_motion(input);
    lane.sampler.start(static_cast<std::uint64_t>(lane.w));
    lane.state.start(end_of_window(lane.w));
    lane.state.reserve(static_cast<std::size_t>(most));
    lane.window = {};
    lane.window.ids.reserve(static_cast<std::size_t>(most));
    lane.told = 0;
    lane.over = false;
  };
  const auto search = [&](Lane& lane) {
    lane.window =
        search_window(*lane.beam, *options.beam, options.beam_rank, most, prime_of(lane.w), lane.state);
    lane.over = true;
  };
  const auto extend = [&](Lane& lane) {
    const std::span<const int> forced = prime_of(lane.w);
    const auto report = [&](int id, const Note* closed) {
      if (live && options.on_event)
        tell(lane.w, id, lane.told++ < forced.size(), closed, lane.state.decoder().time_s());
    };
    if (on_device)
      lane.window = on_device->decode(static_cast<std::uint64_t>(lane.w), most, forced, end_of_window(lane.w),
                                      {}, lane.state, report);
    lane.over = on_device ||
                !extend_window(lane.session, lane.sampler, most, forced, lane.state, lane.window, report);
  };

  // What a lane leaves, until all windows before it are done.
  struct Finished {
    ComposedWindow window;
    std::vector<Note> notes;  // s from the window's beginning
  };
  const auto take = [&](std::int64_t w, Finished& finished) {
    ComposedWindow& composed = finished.window;
    if (options.on_event && !live) {
      EventDecoder<Vocabulary> decoder;
      for (std::size_t n = 0; n < composed.ids.size(); ++n) {
        const Note* closed = decoder.push(composed.ids[n]);
        tell(w, composed.ids[n], static_cast<std::int64_t>(n) < composed.primed_events, closed,
             decoder.time_s());
      }
    }
    const auto notes_before = static_cast<std::int64_t>(composition.notes.size());
    composed.start_s = motion.time_s(first + w * window);
    // The model may strike a pitch again before it has let it go.
    for (const Note& note : notes_until(finished.notes, end_of_window(w)))
      composition.notes.push_back(
          {note.pitch, note.velocity, offset_of(w) + note.start, offset_of(w) + note.end});
    composed.notes = static_cast<std::int64_t>(composition.notes.size()) - notes_before;
    composition.windows.push_back(std::move(composed));
    if (options.on_window) options.on_window(w + 1, windows);
  };

  SessionGroup<T> group(session.model(), session.context().threads());
  std::vector<Lane*> begun, at_work;
  std::vector<Session<T>*> stepping;
  std::vector<std::int64_t> tokens;
  std::map<std::int64_t, Finished> waiting;
  const auto side_by_side = [&](const std::vector<Lane*>& of, const auto& body) {
    parallel_for(session.context().threads(), static_cast<std::int64_t>(of.size()), 1,
                 [&](std::int64_t begin, std::int64_t end) {
                   for (std::int64_t n = begin; n < end; ++n) body(*of[static_cast<std::size_t>(n)]);
                 });
  };
  for (std::int64_t next = 0, done = 0; done < windows;) {
    // A lane that is done with a window takes the next that nobody has.
    begun.clear(), at_work.clear(), stepping.clear(), tokens.clear();
    for (Lane& lane : lanes) {
      if (lane.w < 0 && next < windows) {
        lane.w = next++;
        begun.push_back(&lane);
      }
      if (lane.w >= 0) at_work.push_back(&lane);
    }
    side_by_side(begun, start);
    if (options.beam) {
      side_by_side(at_work, search);
    } else if (on_device) {
      extend(*at_work.front());
    } else {
      for (Lane* lane : at_work) {
        stepping.push_back(&lane->session);
        tokens.push_back(lane->window.ids.empty() ? Vocabulary::sos : lane->window.ids.back());
      }
      group.step(stepping, tokens);
      side_by_side(at_work, extend);
    }
    for (Lane* lane : at_work)
      if (lane->over) {
        lane->state.decoder().finish();
        const std::span<const Note> notes = lane->state.decoder().notes();
        waiting[lane->w] = {std::move(lane->window), {notes.begin(), notes.end()}};
        lane->w = -1;
      }
    for (auto at = waiting.begin(); at != waiting.end() && at->first == done; at = waiting.erase(at)) {
      take(done, at->second);
      ++done;
    }
  }
  if (motion.holds_last_frame()) composition.held_frames = windows * window - count;
  return composition;
}

// What a window of vocabulary 2 is told before it begins to write.
struct Opening {
  std::vector<int> ids;
  std::vector<Note> sounding;  // from before the window; s from its beginning
  std::vector<bool> sounds;    // of these and each note that the ids begin: whether it sounds after the ids
};

// The music from offset_s on, which has come to written_s: `ended` notes, and those `sounding` there.
inline Opening open_window(std::span<const Note> ended, std::span<const Note> sounding, double offset_s,
                           double written_s) {
  using Vocabulary = EventVocabulary2;
  constexpr double never = 1e9;  // s
  const bool overlaps = written_s > offset_s;
  std::vector<Note> notes;
  // One that began just before the border, and is over there, is too short to be written before it: the
  // window would take it for one that goes on.
  for (Note note : ended)
    if (overlaps && note.end > offset_s && note.start + Vocabulary::shortest_note_s <= written_s) {
      note.end = std::min(note.end, written_s);
      notes.push_back(note);
    }
  for (Note note : sounding) {
    note.end = never;
    notes.push_back(note);
  }
  Opening opening;
  for (Note note : sounding)
    if (note.start < offset_s) {
      note.start -= offset_s;
      opening.sounding.push_back(note);
    }
  opening.ids = Vocabulary::encode_window(notes, offset_s, overlaps ? written_s : offset_s + 1);
  if (!opening.ids.empty() && opening.ids.back() == Vocabulary::cut) opening.ids.pop_back();
  EventDecoder2 decoder;
  decoder.reset(0, opening.sounding);
  decoder.start_window(0);
  for (int id : opening.ids) decoder.push(id);
  // Silence up to where the music stands, so that what follows stands behind it.
  const auto& bins = Vocabulary::time_shift_bins_s();
  for (double gap = written_s - offset_s - decoder.time_s(); gap > bins.front() / 2;
       gap = written_s - offset_s - decoder.time_s()) {
    const auto above = std::upper_bound(bins.begin() + 1, bins.end(), gap);
    opening.ids.push_back(Vocabulary::first_time_shift + static_cast<int>(above - bins.begin()) - 1);
    decoder.push(opening.ids.back());
  }
  for (const Note& note : decoder.notes())
    opening.sounds.push_back(decoder.is_open(note.pitch) && &decoder.open_note(note.pitch) == &note);
  return opening;
}

// Windows that go on from one another.
template <class T>
Composition compose_joined(Session<T>& session, const MotionInputs& motion, const ComposeOptions& options) {
  using Vocabulary = EventVocabulary2;
  const std::int64_t window = motion.window_frames;
  if (!(options.hop_s >= 0) || options.hop_s > motion.seconds(window))
    throw InputError("a hop of " + number_text(options.hop_s) +
                     " s cannot be used; use more than 0 s, up to " + number_text(motion.seconds(window)) +
                     " s, the length of a window");
  const std::int64_t hop =
      options.hop_s == 0 ? window : std::max<std::int64_t>(1, std::llround(options.hop_s * motion.rate_hz));
  const Part part = part_of(motion, options);
  Composition composition = empty_composition(motion, part);
  const std::int64_t most = most_tokens(session, options);

  const GrammarOptions grammar{!options.fill_windows, options.note_off_needs_note_on, false};
  WindowState<Vocabulary> state(motion.seconds(window), grammar);
  const auto on_device = options.beam ? nullptr : DeviceWindows<T>::of(session, options.sampler, grammar);
  Sampler<T> sampler(session.model().config.vocabulary, options.sampler);
  std::optional<SessionBeam<T>> beam;
  if (options.beam) beam.emplace(session, options.beam->width);

  // Times are seconds from the part's beginning.
  std::vector<Note> ended, sounding;
  std::vector<double> ends_s;  // of the windows
  for (std::int64_t w = 0, written = 0; written < part.count; ++w) {
    const double written_s = motion.seconds(written);
    const auto most_continued = static_cast<std::size_t>(most / 4);
    if (sounding.size() > most_continued) {
      std::stable_sort(sounding.begin(), sounding.end(),
                       [](const Note& a, const Note& b) { return a.start < b.start; });
      const auto rest = sounding.end() - static_cast<std::ptrdiff_t>(most_continued);
      for (auto note = sounding.begin(); note != rest; ++note) {
        note->end = written_s;
        ended.push_back(*note);
      }
      sounding.erase(sounding.begin(), rest);
    }
    std::int64_t begin = std::max<std::int64_t>(0, written - (window - hop));
    Opening opening = open_window(ended, sounding, motion.seconds(begin), written_s);
    if (begin<written&& static_cast<std::int64_t>(opening.ids.size())> most / 2) {
      begin = written;
      opening = open_window(ended, sounding, written_s, written_s);
    }
    if (w == 0) opening.ids = Vocabulary::encode_window(options.prime, 0, motion.seconds(window));
    const std::int64_t frames = std::min(window, part.count - begin);
    const double offset_s = motion.seconds(begin), length_s = motion.seconds(frames);

    const auto start_of = [&](const Note& note) {
      const auto same = std::find_if(sounding.begin(), sounding.end(),
                                     [&](const Note& one) { return one.pitch == note.pitch; });
      return same == sounding.end() ? nullptr : &*same;
    };
    // A note of this window's decoder, on the part's axis; where it began earlier, as it began.
    const auto whole = [&](Note note, std::size_t index) {
      note.start += offset_s;
      note.end += offset_s;
      if (index < opening.sounds.size())
        if (const Note* before = start_of(note)) {
          note.start = before->start;
          note.velocity = before->velocity;
        }
      return note;
    };
    const auto tell = [&](EventDecoder2& decoder, std::size_t n, int id, const Note* closed) {
      if (!options.on_event || (w > 0 && n < opening.ids.size())) return;
      // What a window is told leads to the music's end within half of the smallest time_shift.
      const double time_s =
          std::clamp(offset_s + decoder.time_s(), written_s, motion.seconds(begin + frames));
      ComposedEvent event{w, id, time_s, n < opening.ids.size()};
      if (closed != nullptr)
        event.closed = whole(*closed, static_cast<std::size_t>(closed - decoder.notes().data()));
      options.on_event(event);
    };

    const Tensor<T> input = motion.input<T>(part.first + begin, frames);
    if (on_device)
      on_device->start(input);
    else
      session.start_from_motion(input);
    sampler.start(static_cast<std::uint64_t>(w));
    state.start(length_s, opening.sounding);
    ComposedWindow composed;
    if (beam) {
      composed = search_window(*beam, *options.beam, options.beam_rank, most,
                               std::span<const int>(opening.ids), state);
      EventDecoder2 decoder;
      decoder.reset(0, opening.sounding);
      decoder.start_window(0, length_s);
      for (std::size_t n = 0; n < composed.ids.size(); ++n) {
        const Note* closed = decoder.push(composed.ids[n]);
        tell(decoder, n, composed.ids[n], closed);
      }
    } else {
      std::size_t n = 0;
      const auto report = [&](int id, const Note* closed) { tell(state.decoder(), n++, id, closed); };
      const std::span<const int> told(opening.ids);
      composed = on_device ? on_device->decode(static_cast<std::uint64_t>(w), most, told, length_s,
                                               opening.sounding, state, report)
                           : decode_window(session, sampler, most, told, state, report);
    }

    const EventDecoder2& decoder = state.decoder();
    const bool over = decoder.ended() && !decoder.cut();
    std::vector<Note> going_on;
    for (std::size_t n = 0; n < decoder.notes().size(); ++n) {
      if (n < opening.sounds.size() && !opening.sounds[n]) continue;
      const Note& heard = decoder.notes()[n];
      const bool open = decoder.is_open(heard.pitch) && &decoder.open_note(heard.pitch) == &heard;
      Note note = whole(heard, n);
      if (open && over) note.end = offset_s + std::min(std::max(decoder.time_s(), heard.end), length_s);
      (open && !over ? going_on : ended).push_back(note);
    }
    sounding = std::move(going_on);

    composed.start_s = motion.time_s(part.first + begin);
    composition.windows.push_back(std::move(composed));
    written = begin + frames;
    ends_s.push_back(motion.seconds(written));
    if (motion.holds_last_frame()) composition.held_frames = window - frames;
    if (options.on_window) options.on_window(w + 1, w + 1 + (part.count - written + hop - 1) / hop);
  }

  for (Note& note : sounding) {
    note.end = composition.duration_s;
    ended.push_back(note);
  }
  std::sort(ended.begin(), ended.end(), [](const Note& x, const Note& y) {
    return std::tie(x.start, x.pitch) < std::tie(y.start, y.pitch);
  });
  composition.notes = notes_until(ended, composition.duration_s);
  for (const Note& note : composition.notes) {
    const auto home = std::upper_bound(ends_s.begin(), ends_s.end() - 1, note.start);
    ++composition.windows[static_cast<std::size_t>(home - ends_s.begin())].notes;
  }
  return composition;
}

}  // namespace compose_detail

// Music for the recording, which is brought to the model's rate first. Throws InputError where the recording
// lacks what the model wants, start and duration lie outside it or an option is out of range, Error where
// composing_obstacle() finds one.
template <class T>
Composition compose(Session<T>& session, const Recording& recording, const ComposeOptions& options) {
  const auto& config = session.model().config;
  if (const std::string obstacle = composing_obstacle(config); !obstacle.empty())
    throw Error("[compose] this model " + obstacle);
  if (options.batch < 1 || options.batch > 1024)
    throw InputError("a batch of " + std::to_string(options.batch) +
                     " windows cannot be decoded; use 1 to 1024");
  check_beam(options);
  check_prime(options);
  const MotionInputs motion(recording, config);
  return config.vocabulary == EventVocabulary2::size
             ? compose_detail::compose_joined(session, motion, options)
             : compose_detail::compose_apart(session, motion, options);
}

}  // namespace imu2music::inline v0
