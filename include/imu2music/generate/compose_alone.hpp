// Music without motion, from a music_transformer: a beginning that is given, and how the model goes on.
//
// The music is one window: as many ids as the model has positions or max_tokens allow, the beginning's
// included, or less where the model ends it or duration_s is reached. Ids are drawn or searched as for a
// recording (generate/compose.hpp), by what the grammar allows.
//
//   243 and 332 ids  begin with SOS, so ComposeOptions::prime may be empty; pitches outside 21 to 108
//                    are left out, and one at least must be inside
//   390 ids          have nothing to begin with: prime must hold a note (music/performance_vocabulary.hpp)
//
// Of ComposeOptions everything is used but start_s, hop_s, batch and on_window. Errors: InputError for a
// beginning that is missing, cannot be written or leaves no id to write, or an option out of range; Error
// where composing_alone_obstacle() finds one.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "imu2music/generate/compose.hpp"
#include "imu2music/music/notes.hpp"
#include "imu2music/music/performance_vocabulary.hpp"

namespace imu2music::inline v0 {

// Why weights of this config cannot write music without motion; empty where they can.
inline std::string composing_alone_obstacle(const ModelConfig& config) {
  if (config.model != "music_transformer") return "writes music for motion only";
  if (config.vocabulary != EventVocabulary1::size && config.vocabulary != EventVocabulary2::size &&
      config.vocabulary != PerformanceVocabulary::size)
    return "writes a vocabulary of " + std::to_string(config.vocabulary) + " ids";
  return {};
}

namespace compose_detail {

template <class Vocabulary, class T>
Composition compose_alone(Session<T>& session, const ComposeOptions& options) {
  const std::int64_t most = most_tokens(session, options);
  const std::vector<int> prime = Vocabulary::encode(options.prime);
  if (prime.empty() && Vocabulary::sos < 0)
    throw InputError("weights of " + std::to_string(Vocabulary::size) +
                     " ids go on from music that they are given; give notes to begin with");
  if (static_cast<std::int64_t>(prime.size()) >= most)
    throw InputError(name_of_prime(options) + " are " + std::to_string(prime.size()) + " ids; fewer than " +
                     std::to_string(most) + " leave room for the music");
  const double window_s =
      options.duration_s > 0 ? options.duration_s : std::numeric_limits<double>::infinity();
  // No window before this one has notes that could be continued.
  const GrammarOptions grammar{!options.fill_windows, options.note_off_needs_note_on, false};
  WindowState<Vocabulary> state(window_s, grammar);
  for (const int id : prime) state.push(id);
  if (!prime.empty() && state.ended())
    throw InputError(name_of_prime(options) + " last as long as the music that is asked for, " +
                     number_text(options.duration_s) + " s; ask for more");
  state.start(window_s);
  state.reserve(static_cast<std::size_t>(most));
  // The repetition penalty must know all ids.
  const bool in_launches = !options.beam && (Vocabulary::sos >= 0 || options.sampler.repetition_penalty == 1);
  const auto on_device = in_launches ? DeviceWindows<T>::of(session, options.sampler, grammar) : nullptr;
  if (!on_device) session.start();

  Composition composition;
  std::size_t told = 0;
  const auto tell = [&](int id, const Note* closed) {
    const bool primed = told++ < prime.size();
    if (!options.on_event) return;
    ComposedEvent event{0, id, std::min(state.decoder().time_s(), window_s), primed};
    if (closed != nullptr) event.closed = *closed;
    options.on_event(event);
  };
  ComposedWindow window;
  if (options.beam) {
    SessionBeam<T> beam(session, options.beam->width);
    window = search_window(beam, *options.beam, options.beam_rank, most, std::span<const int>(prime), state);
    if (options.on_event) {
      state.start(window_s);
      for (const int id : window.ids) {
        const Note* closed = state.push(id);
        tell(id, closed);
      }
    }
  } else if (on_device) {
    on_device->start({});
    window = on_device->decode(0, most, std::span<const int>(prime), window_s, {}, state, tell);
  } else {
    Sampler<T> sampler(session.model().config.vocabulary, options.sampler);
    sampler.start(0);
    window = decode_window(session, sampler, most, std::span<const int>(prime), state, tell);
  }
  composition.notes = notes_until(state.decoder().finish(), window_s);
  composition.duration_s = options.duration_s > 0 ? options.duration_s : end_of(composition.notes);
  window.notes = static_cast<std::int64_t>(composition.notes.size());
  composition.windows.push_back(std::move(window));
  return composition;
}

}  // namespace compose_detail

template <class T>
Composition compose_alone(Session<T>& session, const ComposeOptions& options) {
  const ModelConfig& config = session.model().config;
  if (const std::string obstacle = composing_alone_obstacle(config); !obstacle.empty())
    throw Error("[compose_alone] this model " + obstacle);
  check_beam(options);
  if (options.start_s != 0 || options.hop_s != 0)
    throw InputError(
        "music without motion has no place in a recording to begin at and no windows that overlap");
  if (!(options.duration_s >= 0))
    throw InputError("music of " + number_text(options.duration_s) + " s cannot be written; use more than 0");
  if (config.vocabulary == PerformanceVocabulary::size)
    return compose_detail::compose_alone<PerformanceVocabulary>(session, options);
  check_prime(options);
  return config.vocabulary == EventVocabulary2::size
             ? compose_detail::compose_alone<EventVocabulary2>(session, options)
             : compose_detail::compose_alone<EventVocabulary1>(session, options);
}

}  // namespace imu2music::inline v0
