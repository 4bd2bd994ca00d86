#include "imu2music/music/performance_vocabulary.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <tuple>
#include <vector>

using namespace imu2music;
using V = PerformanceVocabulary;

namespace {

// Ids by what they mean, independent of the code under test.
constexpr int on(int pitch) { return pitch; }
constexpr int off(int pitch) { return 128 + pitch; }
constexpr int shift(int hundredths) { return 255 + hundredths; }
constexpr int velocity(int quarter) { return 356 + quarter; }

}  // namespace

TEST_CASE("the layout of 390 ids") {
  CHECK(V::size == 390);
  CHECK(V::eos == 388);
  CHECK(V::pad == 389);
  CHECK(V::kind(0) == EventKind::note_on);
  CHECK(V::kind(127) == EventKind::note_on);
  CHECK(V::kind(128) == EventKind::note_off);
  CHECK(V::kind(255) == EventKind::note_off);
  CHECK(V::kind(256) == EventKind::time_shift);
  CHECK(V::kind(355) == EventKind::time_shift);
  CHECK(V::kind(356) == EventKind::velocity);
  CHECK(V::kind(387) == EventKind::velocity);
  CHECK(V::kind(388) == EventKind::eos);
  CHECK(V::kind(389) == EventKind::pad);
  CHECK(V::shift_s(256) == doctest::Approx(0.01));
  CHECK(V::shift_s(355) == doctest::Approx(1));
  CHECK(V::shift_s(60) == 0);
  CHECK(V::pitch(off(127)) == 127);
  CHECK(V::velocity(velocity(31)) == 124);
  CHECK(V::velocity(velocity(0)) == 1);
  for (const int id : {-1, 390}) CHECK_THROWS_AS(V::kind(id), InputError);
}

TEST_CASE("notes as ids: silence kept, long gaps in seconds, a velocity where it changes") {
  const std::vector<Note> notes = {{60, 80, 0.5, 1}, {64, 83, 1, 3.25}, {67, 20, 1, 3.25}};
  const std::vector<int> ids = {shift(50), velocity(20), on(60),     shift(50), off(60), on(64), velocity(5),
                                on(67),    shift(100),   shift(100), shift(25), off(64), off(67)};
  CHECK(V::encode(notes) == ids);
  const std::vector<Note> back = V::decode(ids);
  REQUIRE(back.size() == 3);
  for (std::size_t i = 0; i < 3; ++i) {
    CHECK(back[i].pitch == notes[i].pitch);
    CHECK(back[i].start == doctest::Approx(notes[i].start));
    CHECK(back[i].end == doctest::Approx(notes[i].end));
  }
  CHECK(back[1].velocity == 80);
  CHECK(back[2].velocity == 20);
  CHECK(V::encode({}).empty());
  CHECK(V::encode(std::vector<Note>{{60, 0, 0, 1}}) == V::encode(std::vector<Note>{{60, 1, 0, 1}}));
  CHECK_THROWS_AS(V::encode(std::vector<Note>{{60, -1, 0, 1}}), InputError);
}

TEST_CASE("roundings do not add up, a struck pitch ends the note before, a note is never without length") {
  std::vector<Note> notes;
  for (int i = 0; i < 300; ++i) notes.push_back({50 + i % 3, 64, i * 0.0333, i * 0.0333 + 0.02});
  const std::vector<Note> back = V::decode(V::encode(notes));
  REQUIRE(back.size() == notes.size());
  for (std::size_t i = 0; i < notes.size(); ++i) CHECK(std::abs(back[i].start - notes[i].start) < 0.00501);

  const std::vector<Note> again = V::decode(V::encode(std::vector<Note>{{60, 64, 0, 2}, {60, 64, 1, 1.5}}));
  REQUIRE(again.size() == 2);
  CHECK(again[0].end == doctest::Approx(1));
  CHECK(again[1].end == doctest::Approx(1.5));
  const std::vector<Note> short_one = V::decode(V::encode(std::vector<Note>{{60, 64, 0, 0.001}}));
  CHECK(short_one.at(0).end == doctest::Approx(0.01));
}

TEST_CASE("ids that tell nothing are passed over; what is never closed lasts a second; END ends") {
  const std::vector<Note> notes =
      V::decode(std::vector<int>{off(60), V::pad, on(60), shift(10), on(62), V::eos, on(64)});
  REQUIRE(notes.size() == 2);
  CHECK(notes[0].velocity == 64);
  CHECK(notes[0].end == doctest::Approx(1));
  CHECK(notes[1].start == doctest::Approx(0.1));
  CHECK(notes[1].end == doctest::Approx(1.1));
}

TEST_CASE("any playable music on the grid comes back as it was") {
  std::mt19937 random(3);
  for (int round = 0; round < 50; ++round) {
    std::vector<Note> notes;
    for (int pitch = 0; pitch < 128; pitch += 1 + static_cast<int>(random() % 20)) {
      double t = static_cast<double>(random() % 400) / 100;
      for (int k = 0; k < 5; ++k) {
        const double end = t + static_cast<double>(1 + random() % 300) / 100;
        notes.push_back({pitch, static_cast<int>(4 + 4 * (random() % 30)), t, end});
        t = end + static_cast<double>(random() % 100) / 100;
      }
    }
    const auto on_grid = [](const std::vector<Note>& some) {
      std::vector<GridNote> grid = notes_on_grid(some, 100);
      std::sort(grid.begin(), grid.end(), [](const GridNote& a, const GridNote& b) {
        return std::tie(a.start, a.pitch) < std::tie(b.start, b.pitch);
      });
      return grid;
    };
    CHECK(on_grid(V::decode(V::encode(notes))) == on_grid(notes));
  }
}

TEST_CASE("notes that cannot be written are refused") {
  CHECK_THROWS_AS(V::encode(std::vector<Note>{{128, 64, 0, 1}}), InputError);
  CHECK_THROWS_AS(V::encode(std::vector<Note>{{60, 64, -1, 1}}), InputError);
  CHECK_THROWS_AS(V::encode(std::vector<Note>{{60, 64, 0, std::nan("")}}), InputError);
  CHECK_THROWS_AS(V::encode(std::vector<Note>{{60, 64, 1e6, 1e6 + 1}}), InputError);
}

TEST_CASE("an excerpt begins where it should, has L + 1 ids at most, and END only where the piece ends") {
  std::vector<Note> notes;
  for (int i = 0; i < 100; ++i) notes.push_back({60, 64, 0.5 * i, 0.5 * i + 0.25});
  const std::vector<int> whole = performance_excerpt(notes, 0, 1000, false);
  std::vector<int> ids = V::encode(notes);
  ids.push_back(V::eos);
  CHECK(whole == ids);
  ids.pop_back();
  CHECK(performance_excerpt(notes, 0, 1000, true) == ids);
  const std::vector<int> cut = performance_excerpt(notes, 0, 20, false);
  CHECK(cut == std::vector<int>(ids.begin(), ids.begin() + 21));
  // From 10.2 s on: 0.3 s of silence, then the note at 10.5 s.
  const std::vector<int> later = performance_excerpt(notes, 10.2, 20, false);
  CHECK(later[0] == shift(30));
  CHECK(later[1] == velocity(16));
  CHECK(later[2] == on(60));
  CHECK(later.size() == 21);
  // Beyond the last note's start it is the last note.
  const std::vector<int> last = performance_excerpt(notes, 49.7, 20, false);
  CHECK(last == std::vector<int>{velocity(16), on(60), shift(25), off(60), V::eos});
  CHECK_THROWS_AS(performance_excerpt({}, 0, 20, false), ShapeError);
}
