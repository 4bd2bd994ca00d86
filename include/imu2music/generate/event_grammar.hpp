// Which ids may follow, given the events so far.
//
//   PAD, SOS       never: they are not music
//   EOS            unless the caller says that the sequence must go on
//   note_off       only of a pitch that sounds (may be switched off: a decoder passes over the others)
//   all the rest   always, so at least note_ons, velocities and time_shifts may follow
//
// A mask is [V] bytes, nonzero where allowed. Cost O(pitches) a call; no allocation.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "imu2music/music/event_vocabulary.hpp"

namespace imu2music::inline v0 {

struct GrammarOptions {
  bool may_end = true;                 // EOS is allowed
  bool note_off_needs_note_on = true;  // no note_off of a pitch that does not sound
};

template <class Vocabulary = EventVocabulary1>
class EventGrammar {
 public:
  explicit EventGrammar(const GrammarOptions& options = {}) : options_(options) {
    allowed_.fill(1);
    allowed_[Vocabulary::sos] = allowed_[Vocabulary::pad] = 0;
    allowed_[Vocabulary::eos] = options.may_end;
  }

  // The mask for the id that `decoder` will be given next; valid until the next call.
  const std::uint8_t* allowed(const EventDecoder<Vocabulary>& decoder) {
    if (!options_.note_off_needs_note_on) return allowed_.data();
    for (int pitch = Vocabulary::lowest_pitch; pitch <= Vocabulary::highest_pitch; ++pitch)
      allowed_[static_cast<std::size_t>(Vocabulary::note_off(pitch))] = decoder.is_open(pitch);
    return allowed_.data();
  }

 private:
  GrammarOptions options_;
  std::array<std::uint8_t, Vocabulary::size> allowed_{};
};

}  // namespace imu2music::inline v0
