#include "imu2music/music/event_vocabulary.hpp"

#include <limits>
#include <random>

#include "../../examples/imu2music/verify_events.hpp"
#include "support.hpp"

using namespace imu2music;
using V = EventVocabulary1;

namespace {

// Ids by what they mean, independent of the code under test.
constexpr int on(int pitch) { return pitch - 21; }
constexpr int off(int pitch) { return 88 + pitch - 21; }
constexpr int velocity(int k) { return 176 + k; }
constexpr int shift(int k) { return 208 + k; }
const double bin0 = 1.0 / 65;

}  // namespace

TEST_CASE("expected encodings and decodings agree") {
  std::string path = test::shared_file("golden/events.json");
  if (path.empty()) return;
  std::vector<CheckRow> rows = verify_events_file(path);
  CHECK(rows.size() == 7);
  for (const CheckRow& row : rows) {
    INFO(row.name, ": ", row.note);
    CHECK(row.passed);
    CHECK(row.note != "absent");
  }
  CHECK(rows[3].note == "60 cases");
  CHECK(rows[4].note == "90 cases");
}

TEST_CASE("kinds at the borders of the layout") {
  CHECK(V::size == 243);
  CHECK(V::kind(0) == EventKind::note_on);
  CHECK(V::kind(87) == EventKind::note_on);
  CHECK(V::kind(88) == EventKind::note_off);
  CHECK(V::kind(175) == EventKind::note_off);
  CHECK(V::kind(176) == EventKind::velocity);
  CHECK(V::kind(207) == EventKind::velocity);
  CHECK(V::kind(208) == EventKind::time_shift);
  CHECK(V::kind(239) == EventKind::time_shift);
  CHECK(V::kind(240) == EventKind::sos);
  CHECK(V::kind(241) == EventKind::eos);
  CHECK(V::kind(242) == EventKind::pad);
  CHECK_THROWS_AS(V::kind(243), InputError);
  CHECK_THROWS_AS(V::kind(-1), InputError);
  CHECK(V::pitch(on(21)) == 21);
  CHECK(V::pitch(off(108)) == 108);
  CHECK(V::note_on(60) == on(60));
  CHECK(V::note_off(60) == off(60));
  CHECK(V::shift_s(208) == doctest::Approx(0.0153846153846).epsilon(1e-12));
  CHECK(V::shift_s(239) == doctest::Approx(1.1714390423123635).epsilon(1e-12));
  CHECK(V::shift_s(0) == 0);
  CHECK(V::shift_s(240) == 0);
}

TEST_CASE("velocities are clamped, binned by lower bound, read back as the bin's floor") {
  CHECK(V::velocity_id(0) == velocity(0));
  CHECK(V::velocity_id(21) == velocity(0));
  CHECK(V::velocity_id(22) == velocity(1));
  CHECK(V::velocity_id(23) == velocity(1));
  CHECK(V::velocity_id(24) == velocity(2));  // bins 23.84, 26.68
  CHECK(V::velocity_id(106) == velocity(30));
  CHECK(V::velocity_id(107) == velocity(31));  // above the last bin, 106.16
  CHECK(V::velocity_id(127) == velocity(31));
  CHECK(V::velocity(velocity(0)) == 21);
  CHECK(V::velocity(velocity(1)) == 23);
  CHECK(V::velocity(velocity(30)) == 106);
  CHECK(V::velocity(velocity(31)) == 106);
}

TEST_CASE("encode") {
  SUBCASE("nothing") { CHECK(V::encode({}).empty()); }
  SUBCASE("one note: velocity, on, greedy shifts, off; leading silence dropped") {
    // 0.5 s: 0.4404 (bin 24) fits, 0.5064 does not; 0.0596 left: 0.0541 (bin 9); 0.0055 left is dropped.
    std::vector<Note> notes{{60, 64, 3.0, 3.5}};
    CHECK(V::encode(notes) == std::vector<int>{V::velocity_id(64), on(60), shift(24), shift(9), off(60)});
  }
  SUBCASE("a gap of more than the largest shift takes it several times") {
    std::vector<Note> notes{{60, 64, 0, 2.4}};  // 2 · 1.1714 = 2.3429; 0.0571: bin 9
    CHECK(V::encode(notes) ==
          std::vector<int>{V::velocity_id(64), on(60), shift(31), shift(31), shift(9), off(60)});
  }
  SUBCASE("a gap below the smallest shift vanishes, and is not carried on") {
    std::vector<Note> notes{{60, 64, 0, 0.015}, {62, 64, 0.03, 0.045}};
    int v = V::velocity_id(64);
    CHECK(V::encode(notes) == std::vector<int>{v, on(60), off(60), v, on(62), off(62)});
  }
  SUBCASE("an off and an on at one time keep the order of their notes; notes are sorted by start") {
    int v = V::velocity_id(64);
    std::vector<Note> notes{{62, 64, bin0, 2 * bin0}, {60, 64, 0, bin0}};
    CHECK(V::encode(notes) == std::vector<int>{v, on(60), shift(0), off(60), v, on(62), shift(0), off(62)});
  }
  SUBCASE("pitches outside the range are left out, with their time") {
    std::vector<Note> notes{{20, 64, 0, 1}, {109, 64, 0, 1}, {21, 64, 5, 5}, {108, 64, 5, 5}};
    int v = V::velocity_id(64);
    CHECK(V::encode(notes) == std::vector<int>{v, on(21), off(21), v, on(108), off(108)});
  }
  SUBCASE("times that are none") {
    constexpr double nan = std::numeric_limits<double>::quiet_NaN();
    std::vector<Note> notes{{60, 64, nan, 1}};
    CHECK_THROWS_AS(V::encode(notes), InputError);
    notes[0] = {60, 64, 0, std::numeric_limits<double>::infinity()};
    CHECK_THROWS_AS(V::encode(notes), InputError);
    notes[0] = {60, 64, 0, 1e12};
    CHECK_THROWS_AS(V::encode(notes), InputError);
  }
}

TEST_CASE("decode") {
  SUBCASE("nothing") { CHECK(V::decode({}).empty()); }
  SUBCASE("velocity 64 at first, then what was said last") {
    std::vector<int> ids{on(60), velocity(1), on(62), on(64)};
    CHECK(V::decode(ids) == std::vector<Note>{{60, 64, 0, 1}, {62, 23, 0, 1}, {64, 23, 0, 1}});
  }
  SUBCASE("a note lasts at least a quarter second") {
    std::vector<int> ids{on(60), shift(0), off(60)};
    CHECK(V::decode(ids) == std::vector<Note>{{60, 64, 0, 0.25}});
  }
  SUBCASE("a closed note may last longer than an unclosed one") {
    std::vector<int> ids{on(60), shift(31), shift(31), off(60)};
    std::vector<Note> notes = V::decode(ids);
    REQUIRE(notes.size() == 1);
    CHECK(notes[0].end == doctest::Approx(2.342878084624727).epsilon(1e-12));
  }
  SUBCASE("an off closes the latest of its pitch; the one before lasts 1 s; a second off finds none") {
    std::vector<int> ids{on(60), shift(31), on(60), shift(31), off(60), shift(31), off(60)};
    std::vector<Note> notes = V::decode(ids);
    REQUIRE(notes.size() == 2);
    CHECK(notes[0].end == 1.0);
    CHECK(notes[1].end == doctest::Approx(2.342878084624727).epsilon(1e-12));
  }
  SUBCASE("an off without a note changes nothing") {
    std::vector<int> ids{off(60), on(62), off(61)};
    CHECK(V::decode(ids) == std::vector<Note>{{62, 64, 0, 1}});
  }
  SUBCASE("SOS and PAD are passed over, EOS ends") {
    std::vector<int> ids{V::sos, on(60), V::pad, on(62), V::eos, on(64), off(60)};
    CHECK(V::decode(ids) == std::vector<Note>{{60, 64, 0, 1}, {62, 64, 0, 1}});
  }
  SUBCASE("ids outside the vocabulary") {
    for (int wrong : {243, -1, 1 << 30}) {
      std::vector<int> ids{on(60), wrong};
      CHECK_THROWS_AS(V::decode(ids), InputError);
    }
  }
}

TEST_CASE("encode then decode keeps notes to within what was dropped") {
  std::mt19937 random(7);
  std::uniform_real_distribution<double> gap(0.0, 0.6), length(0.3, 2.0);
  std::uniform_int_distribution<int> pitch(30, 100);
  std::vector<Note> notes;
  double time = 0;
  for (int i = 0; i < 60; ++i) {
    notes.push_back({pitch(random), 64, time, time + length(random)});
    time += gap(random) + 0.02;
  }
  // One note a pitch at a time, or the rule about repeated notes applies.
  std::vector<Note> apart;
  for (const Note& note : notes)
    if (std::none_of(apart.begin(), apart.end(), [&](const Note& other) {
          return other.pitch == note.pitch && other.end + 0.5 > note.start;
        }))
      apart.push_back(note);
  std::vector<Note> back = V::decode(V::encode(apart));
  REQUIRE(back.size() == apart.size());
  double drift = 0;
  for (std::size_t i = 0; i < back.size(); ++i) {
    CHECK(back[i].pitch == apart[i].pitch);
    // Every gap loses less than the smallest shift; there are two gaps a note.
    drift = apart[i].start - apart[0].start - back[i].start;
    CHECK(drift >= -1e-9);
    CHECK(drift < double(2 * i + 1) * bin0);
  }
}

TEST_CASE("the decoder that takes ids one by one says the same as decode, at every step") {
  std::mt19937 random(3);
  std::uniform_int_distribution<int> any(0, 239);
  EventDecoder1 decoder;
  for (int round = 0; round < 50; ++round) {
    std::vector<int> ids;
    decoder.reset();
    double time = 0;
    for (int i = 0; i < 120; ++i) {
      int id = any(random);
      ids.push_back(id);
      std::size_t closed = decoder.closed_count();
      const Note* note = decoder.push(id);
      if (note != nullptr) {
        CHECK(V::is_note_off(id));
        CHECK(note->pitch == V::pitch(id));
        CHECK(decoder.closed_count() == closed + 1);
        CHECK_FALSE(decoder.is_open(note->pitch));
      }
      if (V::is_note_on(id)) CHECK(decoder.is_open(V::pitch(id)));
      time += V::shift_s(id);
      CHECK(decoder.time_s() == time);
      CHECK(decoder.open_count() + decoder.closed_count() == decoder.notes().size());
      std::vector<Note> expected = V::decode(ids);
      std::span<const Note> now = decoder.notes();
      CHECK(std::equal(now.begin(), now.end(), expected.begin(), expected.end()));
    }
    decoder.finish();
    CHECK(decoder.open_count() == 0);
    CHECK(decoder.push(on(60)) == nullptr);
    CHECK(decoder.notes().size() == V::decode(ids).size());
  }
}

TEST_CASE("the decoder starts where it is told, and asks for no memory once it has room") {
  EventDecoder1 decoder(100);
  const Note* first = decoder.notes().data();
  for (int round = 0; round < 3; ++round) {
    decoder.reset(6.0 * round);
    for (int i = 0; i < 100; ++i) decoder.push(on(21 + i % 88));
    CHECK(decoder.notes().size() == 100);
    CHECK(decoder.notes()[0].start == 6.0 * round);
    CHECK(decoder.notes().data() == first);
  }
  decoder.push(V::eos);
  CHECK(decoder.ended());
  decoder.reset();
  CHECK_FALSE(decoder.ended());
  CHECK(decoder.velocity() == 64);
}

TEST_CASE("pitch histogram: two seconds from the event on, both ends included") {
  // 60 at 0 s, 64 at 1.171 s, 67 at 2.343 s
  std::vector<int> ids{velocity(3), on(60), shift(31), on(64), off(60), shift(31), on(67), off(64)};
  auto rows = pitch_histograms(ids);
  REQUIRE(rows.size() == ids.size());
  PitchHistogram expected{};
  expected[0] = expected[4] = 0.5;
  CHECK(rows[0] == expected);
  CHECK(rows[1] == expected);
  expected = {};
  expected[4] = 1;  // the shift begins at 0 s: 64 is in reach, 67 is not
  CHECK(rows[2] == expected);
  expected[4] = expected[7] = 0.5;
  CHECK(rows[3] == expected);
  expected = {};
  expected[7] = 1;
  CHECK(rows[4] == expected);
  CHECK(rows[6] == expected);
  expected.fill(1.0 / 12);
  CHECK(rows[7] == expected);
  for (std::size_t i = 0; i < ids.size(); ++i) CHECK(pitch_histogram(ids, i) == rows[i]);
  CHECK_THROWS_AS(pitch_histogram(ids, ids.size()), ShapeError);
  CHECK(pitch_histograms(std::vector<int>{}).empty());
  CHECK_THROWS_AS(pitch_histograms(std::vector<int>{300}), InputError);
}

TEST_CASE("pitch histograms of all events and of each alone agree on random ids") {
  std::mt19937 random(11);
  std::uniform_int_distribution<int> any(0, 242);
  std::vector<int> ids(400);
  for (int& id : ids) id = any(random);
  auto rows = pitch_histograms(ids);
  for (std::size_t i = 0; i < ids.size(); ++i) {
    CHECK(pitch_histogram(ids, i) == rows[i]);
    double sum = 0;
    for (double share : rows[i]) sum += share;
    CHECK(sum == doctest::Approx(1));
  }
}

TEST_CASE("model tokens") {
  using List = std::vector<int>;
  List ids{1, 2, 3};
  SUBCASE("shorter: padded") {
    ModelTokens tokens = model_tokens(ids, 6);
    CHECK(tokens.x == List{240, 1, 2, 3, 241, 242});
    CHECK(tokens.y == List{1, 2, 3, 241, 242, 242});
  }
  SUBCASE("just fitting") {
    ModelTokens tokens = model_tokens(ids, 4);
    CHECK(tokens.x == List{240, 1, 2, 3});
    CHECK(tokens.y == List{1, 2, 3, 241});
  }
  SUBCASE("longer: cut, the last is EOS") {
    ModelTokens tokens = model_tokens(ids, 3);
    CHECK(tokens.x == List{240, 1, 2});
    CHECK(tokens.y == List{1, 2, 241});
    tokens = model_tokens(ids, 1);
    CHECK(tokens.x == List{240});
    CHECK(tokens.y == List{241});
  }
  SUBCASE("empty") {
    ModelTokens tokens = model_tokens(List{}, 2);
    CHECK(tokens.x == List{240, 241});
    CHECK(tokens.y == List{241, 242});
  }
  SUBCASE("wrong") {
    CHECK_THROWS_AS(model_tokens(ids, 0), ShapeError);
    CHECK_THROWS_AS(model_tokens(List{500}, 4), InputError);
  }
}
