#include "imu2music/music/notes.hpp"

#include <limits>

#include "support.hpp"

using namespace imu2music;

TEST_CASE("the end of notes is the latest end") {
  CHECK(end_of({}) == 0);
  std::vector<Note> notes{{60, 64, 0, 4}, {61, 64, 1, 2}};
  CHECK(end_of(notes) == 4);
}

TEST_CASE("notes on a grid: rounded, ordered, one sounding note a pitch") {
  std::vector<Note> notes{{62, 80, 1.004, 1.996}, {60, 64, 0, 1.5}, {60, 70, 1.0, 2.0}, {64, 90, 3, 3}};
  std::vector<GridNote> expected{
      {60, 64, 0, 100}, {62, 80, 100, 200}, {60, 70, 100, 200}, {64, 90, 300, 301}};
  CHECK(notes_on_grid(notes, 100) == expected);
  CHECK(notes_on_grid({}, 100).empty());

  SUBCASE("a short note never reaches into the next of its pitch") {
    std::vector<Note> repeated{{60, 64, 0.001, 0.001}, {60, 64, 0.010, 0.5}};
    CHECK(notes_on_grid(repeated, 100) == std::vector<GridNote>{{60, 64, 0, 1}, {60, 64, 1, 50}});
  }
  SUBCASE("notes of a pitch that start together become one") {
    std::vector<Note> doubled{{60, 64, 0, 0.5}, {60, 90, 0.001, 0.2}, {61, 10, 0, 1}};
    CHECK(notes_on_grid(doubled, 100) == std::vector<GridNote>{{60, 90, 0, 50}, {61, 10, 0, 100}});
  }
  SUBCASE("the latest start ends all before it, also where the one in between was short") {
    std::vector<Note> notes3{{60, 1, 0, 10}, {60, 2, 1, 2}, {60, 3, 5, 6}};
    CHECK(notes_on_grid(notes3, 1) == std::vector<GridNote>{{60, 1, 0, 1}, {60, 2, 1, 2}, {60, 3, 5, 6}});
  }
}

TEST_CASE("notes up to an end: cut there, one sounding note a pitch, times in whole microseconds") {
  const std::vector<Note> notes{
      {60, 64, 0, 2}, {60, 70, 1.0000004, 9}, {64, 80, 2.5, 9}, {62, 90, 3, 4}, {67, 90, 1, 1.5}};
  CHECK(notes_until(notes, 3) ==
        std::vector<Note>{{60, 64, 0, 1}, {60, 70, 1, 3}, {67, 90, 1, 1.5}, {64, 80, 2.5, 3}});
  CHECK(notes_until(notes, std::numeric_limits<double>::infinity()).size() == 5);
  CHECK(notes_until({}, 3).empty());
}

TEST_CASE("notes that no device can play are refused") {
  constexpr double nan = std::numeric_limits<double>::quiet_NaN();
  constexpr double infinity = std::numeric_limits<double>::infinity();
  for (const Note& wrong : {Note{128, 64, 0, 1}, Note{-1, 64, 0, 1}, Note{60, 0, 0, 1}, Note{60, 128, 0, 1},
                            Note{60, 64, -0.1, 1}, Note{60, 64, 2, 1}, Note{60, 64, nan, 1},
                            Note{60, 64, 0, nan}, Note{60, 64, 0, infinity}, Note{60, 64, 0, 1e300}}) {
    std::vector<Note> notes{{60, 64, 0, 1}, wrong};
    CHECK_THROWS_AS(notes_on_grid(notes, 960), InputError);
  }
}
