// Which ids may follow, given the events so far.
//
//   PAD, SOS       never: they are not music
//   EOS            unless the caller says that the sequence must go on
//   note_off       only of a pitch that sounds (may be switched off: a decoder passes over the others)
//   all the rest   always, so at least note_ons, velocities and time_shifts may follow
//
// In vocabulary 2, a continued note may come only before a window's first other event, and only of a pitch
// that sounds from the window before, or (unless the caller says that this is known) does not sound yet; once
// each. CUT stands under the rule of EOS.
//
// A mask is [V] bytes, nonzero where allowed. Cost O(pitches) a call; no allocation.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "imu2music/music/event_vocabulary.hpp"
#include "imu2music/music/event_vocabulary2.hpp"

namespace imu2music::inline v0 {

struct GrammarOptions {
  bool may_end = true;                 // EOS is allowed
  bool note_off_needs_note_on = true;  // no note_off of a pitch that does not sound
  bool may_begin_continued = true;     // a continued note may be of a pitch that is not known to sound
};

template <class Vocabulary = EventVocabulary1>
class EventGrammar {
 public:
  explicit EventGrammar(const GrammarOptions& options = {}) : options_(options) {
    allowed_.fill(1);
    if constexpr (Vocabulary::sos >= 0) allowed_[Vocabulary::sos] = 0;
    allowed_[Vocabulary::pad] = 0;
    allowed_[Vocabulary::eos] = options.may_end;
    if constexpr (continues) allowed_[Vocabulary::cut] = options.may_end;
  }

  // The mask for the id that `decoder` will be given next; valid until the next call.
  const std::uint8_t* allowed(const EventDecoder<Vocabulary>& decoder) {
    if constexpr (continues)
      for (int pitch = Vocabulary::lowest_pitch; pitch <= Vocabulary::highest_pitch; ++pitch)
        allowed_[static_cast<std::size_t>(Vocabulary::continued(pitch))] =
            decoder.at_start() &&
            (decoder.is_awaited(pitch) || (options_.may_begin_continued && !decoder.is_open(pitch)));
    if (!options_.note_off_needs_note_on) return allowed_.data();
    // A note that waits to be continued is over with the first event that does not continue it.
    const auto sounds = [&](int pitch) {
      if constexpr (continues) return decoder.is_open(pitch) && !decoder.is_awaited(pitch);
      return decoder.is_open(pitch);
    };
    for (int pitch = Vocabulary::lowest_pitch; pitch <= Vocabulary::highest_pitch; ++pitch)
      allowed_[static_cast<std::size_t>(Vocabulary::note_off(pitch))] = sounds(pitch);
    return allowed_.data();
  }

 private:
  static constexpr bool continues = std::is_same_v<Vocabulary, EventVocabulary2>;

  GrammarOptions options_;
  std::array<std::uint8_t, Vocabulary::size> allowed_{};
};

}  // namespace imu2music::inline v0
