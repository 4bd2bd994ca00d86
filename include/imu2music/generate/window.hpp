// The events of one window of motion: drawn id by id, or searched with a beam.
//
// WindowState is where the music of a window stands: what it has said, what may follow, whether it is over. A
// window is over at EOS (or CUT, in vocabulary 2) or when its time is used up.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

#include "imu2music/generate/beam.hpp"
#include "imu2music/generate/event_grammar.hpp"
#include "imu2music/generate/sampler.hpp"
#include "imu2music/generate/session.hpp"
#include "imu2music/generate/session_beam.hpp"
#include "imu2music/music/event_vocabulary.hpp"
#include "imu2music/music/event_vocabulary2.hpp"
#include "imu2music/music/note.hpp"

namespace imu2music::inline v0 {

struct ComposedWindow {
  double start_s = 0;      // on the recording's time axis
  std::vector<int> ids;    // the events, without SOS; EOS or CUT included where it came
  std::int64_t notes = 0;  // kept
  bool out_of_tokens = false;
  std::int64_t primed_events = 0;  // of ids, from the first on: what the window was told, not chosen
  double log_probability = 0;      // of the ids after those; with a beam only
  double score = 0;                // the same by the length penalty
};

template <class Events = EventVocabulary1>
class WindowState {
 public:
  using Vocabulary = Events;

  WindowState(double window_s, const GrammarOptions& grammar) : window_s_(window_s), grammar_(grammar) {
    start(window_s);
  }

  void reserve(std::size_t most_notes) { decoder_.reserve(most_notes); }
  void start(double window_s) {
    window_s_ = window_s;
    decoder_.reset();
    if constexpr (std::is_same_v<Vocabulary, EventVocabulary2>) decoder_.start_window(0, window_s);
  }
  // With notes that sound from before the window, whose beginning is time 0; they wait to be continued.
  void start(double window_s, std::span<const Note> sounding) {
    window_s_ = window_s;
    decoder_.reset(0, sounding);
    decoder_.start_window(0, window_s);
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

// The next id of a window, after the logits of the last step of `session`: of `prime` while there is one,
// then drawn. The id, and the note that it closed or null, is handed to `report`. Whether the window goes on.
template <class T, class Vocabulary, class Report>
bool extend_window(Session<T>& session, Sampler<T>& sampler, std::int64_t max_tokens,
                   std::span<const int> prime, WindowState<Vocabulary>& state, ComposedWindow& window,
                   const Report& report) {
  int id = 0;
  if (window.ids.size() < prime.size()) {
    id = prime[window.ids.size()];
    sampler.observe(id);
    ++window.primed_events;
  } else {
    id = static_cast<int>(sampler.choose(session.context(), session.logits().data(), state.allowed()));
  }
  window.ids.push_back(id);
  report(id, state.push(id));
  if (state.ended()) return false;
  window.out_of_tokens = static_cast<std::int64_t>(window.ids.size()) >= max_tokens;
  return !window.out_of_tokens;
}

// The ids of one window, drawn, over the memory that `session` has been started with; `prime` comes first,
// and must not be empty where the vocabulary has no SOS. `report` as above.
template <class T, class Vocabulary, class Report>
ComposedWindow decode_window(Session<T>& session, Sampler<T>& sampler, std::int64_t max_tokens,
                             std::span<const int> prime, WindowState<Vocabulary>& state,
                             const Report& report) {
  ComposedWindow window;
  window.ids.reserve(static_cast<std::size_t>(max_tokens));
  state.reserve(static_cast<std::size_t>(max_tokens));
  if constexpr (Vocabulary::sos < 0)
    if (!extend_window(session, sampler, max_tokens, prime, state, window, report)) return window;
  do session.step(window.ids.empty() ? Vocabulary::sos : window.ids.back());
  while (extend_window(session, sampler, max_tokens, prime, state, window, report));
  return window;
}

// The same by beam search: of the sequences found, the one of that rank (1: the best), or the last where
// fewer are found. `beam`'s slot 0 has been started. The state comes back as after those ids.
template <class T, class Vocabulary>
ComposedWindow search_window(SessionBeam<T>& beam, const BeamOptions& options, std::int64_t rank,
                             std::int64_t max_tokens, std::span<const int> prime,
                             WindowState<Vocabulary>& state) {
  ComposedWindow window;
  std::vector<std::int64_t> prefix;
  if constexpr (Vocabulary::sos >= 0) prefix.push_back(Vocabulary::sos);
  for (int id : prime) {
    if (state.ended() || window.primed_events >= max_tokens) break;
    window.ids.push_back(id);
    prefix.push_back(id);
    state.push(id);
    ++window.primed_events;
  }
  if (!state.ended() && window.primed_events < max_tokens) {
    BeamOptions as_many = options;
    as_many.n_best = rank;
    auto best = beam_search(beam, state, std::span<const std::int64_t>(prefix),
                            max_tokens - window.primed_events, as_many);
    auto& found = best[std::min(static_cast<std::size_t>(rank), best.size()) - 1];
    window.ids.insert(window.ids.end(), found.ids.begin(), found.ids.end());
    window.log_probability = found.log_probability;
    window.score = found.score;
    state = std::move(found.state);
  }
  window.out_of_tokens = !state.ended();
  return window;
}

}  // namespace imu2music::inline v0
