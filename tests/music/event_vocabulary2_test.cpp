#include "imu2music/music/event_vocabulary2.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <limits>

#include "imu2music/core/random.hpp"
#include "imu2music/music/notes.hpp"

using namespace imu2music;
using V = EventVocabulary2;

namespace {

// Ids by what they mean, independent of the code under test.
constexpr int on(int pitch) { return pitch - 21; }
constexpr int off(int pitch) { return 88 + pitch - 21; }
constexpr int continued(int pitch) { return 243 + pitch - 21; }
constexpr int shift(int k) { return 208 + k; }
constexpr int cut = 331;
const double bin0 = 1.0 / 65;

double duration(const std::vector<int>& ids) {
  double time = 0;
  for (int id : ids) time += V::shift_s(id);
  return time;
}

std::vector<int> without_shifts(std::vector<int> ids) {
  std::erase_if(ids, [](int id) { return V::is_time_shift(id); });
  return ids;
}

std::vector<Note> random_notes(Philox& random, int count, double length_s, double longest_s) {
  std::vector<Note> notes;
  for (int n = 0; n < count; ++n) {
    const double start = length_s * random.uniform();
    notes.push_back({static_cast<int>(random.below(128)), 1 + static_cast<int>(random.below(127)), start,
                     start + longest_s * random.uniform() * random.uniform()});
  }
  return notes;
}

}  // namespace

TEST_CASE("vocabulary 1's ids are vocabulary 2's; the new ones follow") {
  CHECK(V::size == 332);
  CHECK(V::cut == cut);
  for (int id = 0; id < 243; ++id) {
    CHECK(V::kind(id) == EventVocabulary1::kind(id));
    CHECK(V::shift_s(id) == EventVocabulary1::shift_s(id));
    if (id < 176) CHECK(V::pitch(id) == EventVocabulary1::pitch(id));
  }
  CHECK(V::kind(243) == EventKind::continued);
  CHECK(V::kind(330) == EventKind::continued);
  CHECK(V::kind(331) == EventKind::cut);
  CHECK_THROWS_AS(V::kind(332), InputError);
  CHECK_THROWS_AS(V::kind(-1), InputError);
  CHECK(V::pitch(243) == 21);
  CHECK(V::pitch(330) == 108);
  CHECK(V::continued(60) == continued(60));
  CHECK(V::shift_s(331) == 0);
}

TEST_CASE("defect of vocabulary 1 mended: silence before the first note is dropped") {
  const std::vector<Note> notes = {{60, 64, 2.5, 3.0}};
  CHECK(EventVocabulary1::decode(EventVocabulary1::encode(notes))[0].start == 0);
  const auto ids = V::encode(notes);
  CHECK(V::is_time_shift(ids[0]));
  CHECK(duration(ids) == doctest::Approx(3.0).epsilon(bin0 / 3));
  const auto read = V::decode(ids);
  REQUIRE(read.size() == 1);
  CHECK(std::abs(read[0].start - 2.5) <= bin0 / 2 + 1e-9);
  // In a later window the silence counts from the window's beginning.
  const auto windows = V::encode_windows(notes, 2.0, 2);
  CHECK(windows[0] == std::vector<int>{cut});
  CHECK(V::is_time_shift(windows[1][0]));
  CHECK(std::abs(duration(windows[1]) - 1.0) <= bin0);
}

TEST_CASE("defect of vocabulary 1 mended: windows cut a note stream and add a false EOS") {
  const std::vector<Note> notes = {{60, 64, 1.0, 5.0}, {64, 100, 3.5, 4.0}};
  const auto windows = V::encode_windows(notes, 2.0, 4);
  const int v64 = V::velocity_id(64), v100 = V::velocity_id(100);
  CHECK(without_shifts(windows[0]) == std::vector<int>{v64, on(60), cut});
  // The note that ends at the border ends there; the other goes on.
  CHECK(without_shifts(windows[1]) == std::vector<int>{v64, continued(60), v100, on(64), off(64), cut});
  CHECK(without_shifts(windows[2]) == std::vector<int>{v64, continued(60), off(60)});
  CHECK(windows[3].empty());
  // What a model reads: CUT ends the first two, EOS only the last; cut to a length, no EOS at all.
  const auto tokens = model_tokens<V>(windows[1], 128);
  CHECK(std::count(tokens.y.begin(), tokens.y.end(), V::eos) == 0);
  CHECK(std::count(tokens.y.begin(), tokens.y.end(), cut) == 1);
  CHECK(tokens.y[windows[1].size()] == V::pad);
  CHECK(model_tokens<V>(windows[2], 128).y[windows[2].size()] == V::eos);
  CHECK(model_tokens<V>(windows[3], 4).y == std::vector<int>{V::eos, V::pad, V::pad, V::pad});
  const auto shortened = model_tokens<V>(windows[1], 3);
  CHECK(shortened.x == std::vector<int>{V::sos, windows[1][0], windows[1][1]});
  CHECK(shortened.y == std::vector<int>(windows[1].begin(), windows[1].begin() + 3));
  CHECK(model_tokens<EventVocabulary1>(std::vector<int>{1, 2, 3, 4}, 3).y.back() == EventVocabulary1::eos);

  const auto read = V::decode_windows(windows, 2.0);
  REQUIRE(read.size() == 2);
  CHECK(read[0].pitch == 60);
  CHECK(read[0].end == doctest::Approx(5.0).epsilon(0.003));
}

TEST_CASE("random music in windows of any length comes back, to half the smallest shift") {
  Philox random(8);
  std::size_t compared = 0, crossing = 0;
  for (int trial = 0; trial < 300; ++trial) {
    const double window_s = 0.3 + 7 * random.uniform();
    const auto notes = random_notes(random, 1 + static_cast<int>(random.below(120)), 25, 9);
    const auto expected = V::playable(notes);
    const double end_s = std::max(end_of(expected), 1.0);
    const auto count = static_cast<std::size_t>(std::ceil(end_s / window_s)) + 1;
    const auto windows = V::encode_windows(notes, window_s, count);
    REQUIRE(windows.size() == count);
    for (std::size_t w = 0; w < count; ++w) {
      // Each window by itself is the same, and CUT stands at the end of all that music follows.
      CHECK(windows[w] == V::encode_window(notes, static_cast<double>(w) * window_s,
                                           static_cast<double>(w + 1) * window_s));
      const bool more = end_s > static_cast<double>(w + 1) * window_s;
      CHECK((!windows[w].empty() && windows[w].back() == cut) == more);
      CHECK(std::count(windows[w].begin(), windows[w].end(), cut) == (more ? 1 : 0));
      CHECK(duration(windows[w]) <= window_s + 1e-6);
    }
    const auto read = V::decode_windows(windows, window_s);
    REQUIRE(read.size() == expected.size());
    for (std::size_t n = 0; n < read.size(); ++n) {
      // In the last 15.4 ms of a window a time is only rounded down.
      const auto near = [&](double time) {
        const double left = window_s - std::fmod(time, window_s);
        return left < bin0 + 1e-6 || window_s - left < 1e-6 ? bin0 + 1e-6 : bin0 / 2 + 1e-6;
      };
      CHECK(read[n].pitch == expected[n].pitch);
      CHECK(read[n].velocity == V::velocity(V::velocity_id(expected[n].velocity)));
      CHECK(std::abs(read[n].start - expected[n].start) <= near(expected[n].start));
      const double shortest = read[n].start + bin0;  // a note that was rounded to nothing
      CHECK(std::abs(read[n].end - std::max(expected[n].end, shortest)) <=
            std::max(near(expected[n].end), bin0 * 1.5 + 1e-6));
      crossing += std::floor(expected[n].start / window_s) != std::floor(expected[n].end / window_s);
      ++compared;
    }
  }
  CHECK(compared > 5000);
  CHECK(crossing > 1000);
}

TEST_CASE("roundings do not add up, as they do in vocabulary 1") {
  std::vector<Note> notes;
  for (int n = 0; n < 1000; ++n) notes.push_back({40 + n % 40, 64, n * 0.0553, n * 0.0553 + 0.03});
  const auto one = EventVocabulary1::decode(EventVocabulary1::encode(notes));
  const auto two = V::decode(V::encode(notes));
  REQUIRE(two.size() == 1000);
  CHECK(std::abs(one.back().start - notes.back().start) > 4);
  for (std::size_t n = 0; n < 1000; ++n) {
    CHECK(std::abs(two[n].start - notes[n].start) <= bin0 / 2 + 1e-6);
    CHECK(two[n].end - two[n].start < 0.05);  // not stretched to 0.25 s
  }
}

TEST_CASE("notes of one pitch follow one another") {
  const auto two = V::playable(std::vector<Note>{
      {60, 50, 1, 4}, {60, 70, 2, 3}, {60, 20, 2, 3.5}, {20, 64, 0, 1}, {109, 64, 0, 1}, {62, 64, 0, 0}});
  REQUIRE(two.size() == 3);
  CHECK(two[0].pitch == 62);
  CHECK(two[0].end == doctest::Approx(bin0));
  CHECK(two[1].end == 2);
  CHECK(two[2] == Note{60, 70, 2, 3.5});
  // A pitch struck again in the very instant its note ends: the note_off comes first.
  const auto ids = without_shifts(V::encode(std::vector<Note>{{60, 64, 0, 1}, {60, 64, 1, 2}}));
  CHECK(ids == std::vector<int>{V::velocity_id(64), on(60), off(60), V::velocity_id(64), on(60), off(60)});
  // Decoding ids of a model that left out the note_off.
  const auto read = V::decode(std::vector<int>{on(60), shift(20), on(60), shift(20), off(60)});
  REQUIRE(read.size() == 2);
  CHECK(read[0].end == read[1].start);
}

TEST_CASE("the decoder at a border: continued, not continued, continued from nowhere") {
  EventDecoder2 decoder;
  decoder.start_window(0, 2);
  for (int id : {on(60), on(64), on(67), cut}) decoder.push(id);
  CHECK(decoder.ended());
  CHECK(decoder.cut());
  CHECK(decoder.time_s() == 2);
  CHECK(decoder.push(off(60)) == nullptr);  // the window is over
  decoder.start_window(2, 2);
  CHECK(decoder.at_start());
  CHECK(decoder.is_open(64));
  CHECK(decoder.is_awaited(64));
  for (int id : {V::velocity_id(100), continued(60), continued(71)}) decoder.push(id);
  CHECK(!decoder.is_awaited(60));
  CHECK(decoder.is_awaited(64));
  decoder.push(on(67));  // struck anew
  CHECK(!decoder.is_open(64));
  CHECK(!decoder.at_start());
  decoder.push(continued(64));  // too late
  CHECK(!decoder.is_open(64));
  decoder.push(shift(31));
  const Note* closed = decoder.push(off(60));
  REQUIRE(closed != nullptr);
  CHECK(closed->start == 0);
  CHECK(closed->end == doctest::Approx(2 + V::shift_s(shift(31))));
  CHECK(decoder.open_count() == 2);
  CHECK(decoder.closed_count() == 3);
  decoder.push(cut);
  const auto notes = decoder.finish();
  REQUIRE(notes.size() == 5);
  CHECK(notes[1].end == 2);  // 64, not continued
  CHECK(notes[2].end == 2);  // 67, not continued, then struck anew
  CHECK(notes[3].pitch == 71);
  CHECK(notes[3].start == 2);
  CHECK(notes[3].velocity == V::velocity(V::velocity_id(100)));
  CHECK(notes[3].end == 4);  // never closed: at the last window's end
  CHECK(notes[4].pitch == 67);
  CHECK(notes[4].end == 4);

  decoder.reset();
  CHECK(decoder.notes().empty());
  CHECK(decoder.open_count() == 0);
  decoder.push(on(60));
  CHECK(decoder.finish()[0].end == 1);  // never closed, no window: 1 s
}

TEST_CASE("a note that is struck again ends the one before, and the decoder says which") {
  EventDecoder2 decoder;
  decoder.start_window(0);
  CHECK(decoder.push(V::note_on(60)) == nullptr);
  decoder.push(V::first_time_shift + 31);
  const Note* ended = decoder.push(V::note_on(60));
  REQUIRE(ended != nullptr);
  CHECK(ended == decoder.notes().data());
  CHECK(ended->end == decoder.time_s());
  CHECK(decoder.is_open(60));
  CHECK(decoder.push(V::note_off(60)) == decoder.notes().data() + 1);
}

TEST_CASE("any ids are read without complaint, and counts agree") {
  Philox random(3);
  for (int trial = 0; trial < 300; ++trial) {
    EventDecoder2 decoder;
    decoder.reserve(400);
    for (int w = 0; w < 4; ++w) {
      decoder.start_window(w * 1.5, 1.5);
      for (int n = 0; n < 100; ++n) decoder.push(static_cast<int>(random.below(V::size)));
      std::size_t open = 0;
      for (int pitch = 0; pitch < 128; ++pitch) open += decoder.is_open(pitch);
      CHECK(open == decoder.open_count());
      CHECK(decoder.closed_count() + open == decoder.notes().size());
    }
    for (const Note& note : decoder.finish()) {
      CHECK(note.end >= note.start + bin0 - 1e-9);
      CHECK(note.velocity >= 21);
    }
    CHECK(decoder.open_count() == 0);
  }
}

TEST_CASE("times and windows that make no sense are refused") {
  const double infinity = std::numeric_limits<double>::infinity();
  const std::vector<Note> note = {{60, 64, 0, 1}};
  CHECK_THROWS_AS(V::encode(std::vector<Note>{{60, 64, 0, infinity}}), InputError);
  CHECK_THROWS_AS(V::encode(std::vector<Note>{{60, 64, std::nan(""), 1}}), InputError);
  CHECK_THROWS_AS(V::encode_window(note, 1, 1), InputError);
  CHECK_THROWS_AS(V::encode_window(note, 2, 1), InputError);
  CHECK_THROWS_AS(V::encode_window(note, std::nan(""), 1), InputError);
  CHECK_THROWS_AS(V::encode_windows(note, 0, 1), InputError);
  CHECK_THROWS_AS(V::encode_windows(note, -1, 2), InputError);
  CHECK_THROWS_AS(V::encode(std::vector<Note>{{60, 64, 1e9, 1e9 + 1}}), InputError);
  CHECK(V::encode({}).empty());
  CHECK(V::encode_windows({}, 6, 2) == std::vector<std::vector<int>>(2));
  CHECK(V::decode({}).empty());
  CHECK_THROWS_AS(V::decode(std::vector<int>{332}), InputError);
}

TEST_CASE("a decoder that begins with notes sounding continues them, or ends them at the border") {
  EventDecoder2 decoder;
  decoder.push(V::note_on(40));
  decoder.reset(10, std::vector<Note>{{60, 90, 7.5, 0}, {64, 30, 9, 0}, {67, 50, 9.9, 0}});
  CHECK(decoder.open_count() == 3);
  decoder.start_window(10, 6);
  CHECK(decoder.is_awaited(64));
  for (int id : {V::velocity_id(20), V::continued(60), V::continued(67)}) decoder.push(id);
  CHECK_FALSE(decoder.is_awaited(60));
  const Note* closed = decoder.push(V::note_off(67));
  REQUIRE(closed != nullptr);
  CHECK(*closed == Note{67, 50, 9.9, 10});
  CHECK(decoder.is_open(60));
  CHECK_FALSE(decoder.is_open(64));
  decoder.push(V::cut);
  const auto notes = decoder.finish();
  REQUIRE(notes.size() == 3);
  CHECK(notes[0] == Note{60, 90, 7.5, 16});
  CHECK(notes[1] == Note{64, 30, 9, 10});
}
