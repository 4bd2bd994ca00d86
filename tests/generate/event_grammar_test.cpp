#include "imu2music/generate/event_grammar.hpp"

#include <doctest/doctest.h>

#include <array>
#include <cstdint>
#include <limits>
#include <vector>

#include "imu2music/generate/sampler.hpp"

using namespace imu2music;
using V = EventVocabulary1;

TEST_CASE("PAD and SOS are never allowed, a note_off only of a pitch that sounds") {
  EventGrammar<V> grammar;
  EventDecoder<V> decoder;
  const auto count = [&] {
    const std::uint8_t* allowed = grammar.allowed(decoder);
    int n = 0;
    for (int id = 0; id < V::size; ++id) n += allowed[id] != 0;
    return n;
  };
  CHECK(count() == 243 - 2 - 88);
  CHECK(grammar.allowed(decoder)[V::sos] == 0);
  CHECK(grammar.allowed(decoder)[V::pad] == 0);
  CHECK(grammar.allowed(decoder)[V::eos] != 0);
  for (int pitch : {21, 60, 108}) decoder.push(V::note_on(pitch));
  CHECK(count() == 243 - 2 - 85);
  for (int pitch : {21, 60, 108}) CHECK(grammar.allowed(decoder)[V::note_off(pitch)] != 0);
  CHECK(grammar.allowed(decoder)[V::note_off(61)] == 0);
  decoder.push(V::note_off(60));
  CHECK(grammar.allowed(decoder)[V::note_off(60)] == 0);
  decoder.reset();
  CHECK(count() == 243 - 2 - 88);
}

TEST_CASE("EOS and the rule of note_offs can be switched") {
  EventDecoder<V> decoder;
  EventGrammar<V> endless({.may_end = false});
  CHECK(endless.allowed(decoder)[V::eos] == 0);
  EventGrammar<V> loose({.note_off_needs_note_on = false});
  for (int id = 0; id < V::size; ++id)
    CHECK((loose.allowed(decoder)[id] != 0) == (id != V::sos && id != V::pad));
}

TEST_CASE("whatever the logits want, what is drawn follows the grammar") {
  // PAD, SOS and note_offs are by far the likeliest.
  std::vector<float> logits(V::size, 0.0f);
  for (int id = V::first_note_off; id < V::first_velocity; ++id) logits[static_cast<std::size_t>(id)] = 50;
  logits[V::pad] = logits[V::sos] = std::numeric_limits<float>::infinity();
  Context context;
  for (const SamplerOptions& options : {SamplerOptions{.greedy = true}, SamplerOptions{.seed = 2},
                                        SamplerOptions{.top_k = 3}, SamplerOptions{.top_p = 0.5}}) {
    Sampler<float> sampler(V::size, options);
    EventGrammar<V> grammar;
    EventDecoder<V> decoder;
    int offs = 0;
    for (int step = 0; step < 300 && !decoder.ended(); ++step) {
      const auto id = static_cast<int>(sampler.choose(context, logits.data(), grammar.allowed(decoder)));
      CHECK(id != V::pad);
      CHECK(id != V::sos);
      if (V::is_note_off(id)) {
        ++offs;
        CHECK(decoder.is_open(V::pitch(id)));
      }
      decoder.push(id);
    }
    CHECK(offs > 5);
  }
}

TEST_CASE("vocabulary 2: notes are continued at the window's start only, and once") {
  using V2 = EventVocabulary2;
  EventGrammar<V2> grammar, endless({.may_end = false});
  EventDecoder2 decoder;
  CHECK(endless.allowed(decoder)[V2::cut] == 0);
  CHECK(endless.allowed(decoder)[V2::eos] == 0);
  const auto allowed = [&](int id) { return grammar.allowed(decoder)[id] != 0; };
  decoder.start_window(0, 6);
  CHECK(allowed(V2::cut));
  decoder.push(V2::note_on(60));
  decoder.push(V2::note_on(64));
  CHECK(!allowed(V2::continued(60)));
  CHECK(!allowed(V2::continued(61)));
  decoder.push(V2::cut);
  decoder.start_window(6, 6);
  CHECK(allowed(V2::continued(60)));
  CHECK(!allowed(V2::note_off(60)));  // not before it is continued
  decoder.push(V2::continued(60));
  CHECK(!allowed(V2::continued(60)));
  CHECK(allowed(V2::continued(64)));
  CHECK(allowed(V2::note_off(60)));
  decoder.push(V2::first_time_shift);
  CHECK(!allowed(V2::continued(64)));
  CHECK(!allowed(V2::note_off(64)));  // it ended at the border
  CHECK(allowed(V2::note_off(60)));
  CHECK(!allowed(V2::pad));
  CHECK(!allowed(V2::sos));
}

TEST_CASE("vocabulary 2: where it is known what sounds, nothing else is continued") {
  using V2 = EventVocabulary2;
  EventGrammar<V2> known({.may_begin_continued = false});
  EventDecoder2 decoder;
  decoder.start_window(0, 6);
  for (int pitch = 21; pitch <= 108; ++pitch) CHECK(known.allowed(decoder)[V2::continued(pitch)] == 0);
  decoder.push(V2::note_on(60));
  decoder.push(V2::cut);
  decoder.start_window(6, 6);
  for (int pitch = 21; pitch <= 108; ++pitch)
    CHECK((known.allowed(decoder)[V2::continued(pitch)] != 0) == (pitch == 60));
}
