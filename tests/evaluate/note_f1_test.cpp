#include "imu2music/evaluate/note_f1.hpp"

#include <doctest/doctest.h>

#include <array>
#include <cstdint>
#include <vector>

using namespace imu2music;

namespace {

Note note(double start, double end, int pitch = 60) { return {.pitch = pitch, .start = start, .end = end}; }

}  // namespace

TEST_CASE("tolerances include their edges, whatever rounding does to a difference") {
  // 1.05 - 1 is more than 0.05 in binary.
  CHECK(match_notes(std::array{note(1, 2)}, std::array{note(1.05, 2)}).matched == 1);
  CHECK(match_notes(std::array{note(1, 2)}, std::array{note(1.0502, 2)}).matched == 0);
  CHECK(match_notes(std::array{note(1, 2)}, std::array{note(0.95, 2)}).matched == 1);
  // The offset: 20 % of the reference's second, 50 ms of a tenth of a second.
  CHECK(match_notes(std::array{note(0, 1)}, std::array{note(0, 1.2)}).matched == 1);
  CHECK(match_notes(std::array{note(0, 1)}, std::array{note(0, 1.21)}).matched == 0);
  CHECK(match_notes(std::array{note(0, 0.1)}, std::array{note(0, 0.15)}).matched == 1);
  CHECK(match_notes(std::array{note(0, 0.1)}, std::array{note(0, 0.16)}).matched == 0);
  CHECK(match_notes(std::array{note(0, 0.1)}, std::array{note(0, 0.16)}, {.offset = false}).matched == 1);
  CHECK(match_notes(std::array{note(0, 1, 60)}, std::array{note(0, 1, 61)}).matched == 0);
  CHECK(match_notes(std::array{note(0, 1, 60)}, std::array{note(0, 1, 61)}, {.pitch = false}).matched == 1);
}

TEST_CASE("each note is joined once, and as many as can be") {
  const std::array reference{note(1, 2)};
  const std::array twice{note(1, 2), note(1.01, 2)};
  const MatchCounts counts = match_notes(reference, twice);
  CHECK(counts == MatchCounts{1, 1, 2});
  CHECK(counts.precision() == 0.5);
  CHECK(counts.recall() == 1);
  CHECK(counts.f1() == doctest::Approx(2.0 / 3));
  // The first reference could take the second estimate; then the second would have none.
  CHECK(match_onsets(std::array{0.0, 0.05}, std::array{-0.05, 0.04}, 0.05).matched == 2);
}

TEST_CASE("figures that would divide by zero are 0, and pooled counts add up") {
  const MatchCounts nothing = match_notes({}, {});
  CHECK(nothing == MatchCounts{});
  CHECK(nothing.f1() == 0);
  CHECK(match_notes(std::array{note(0, 1)}, {}).f1() == 0);
  CHECK(match_notes({}, std::array{note(0, 1)}).precision() == 0);
  MatchCounts sum = nothing;
  sum += {3, 4, 6};
  sum += {1, 1, 1};
  CHECK(sum.f1() == doctest::Approx(8.0 / 12));
}

// Counts from mir_eval 0.8.2: match_note_onsets at 50, 100 and 150 ms, match_notes with offset_ratio None and
// with the defaults, on performances made of this generator's numbers, many distances lying on the edges of
// the tolerances.
TEST_CASE("as mir_eval counts") {
  constexpr std::array<std::array<std::int64_t, 7>, 8> expected = {{{21, 22, 11, 19, 19, 5, 4},
                                                                    {13, 14, 10, 13, 13, 5, 1},
                                                                    {8, 9, 5, 8, 8, 5, 2},
                                                                    {27, 27, 18, 25, 25, 12, 6},
                                                                    {19, 23, 16, 18, 19, 10, 7},
                                                                    {14, 14, 10, 12, 13, 7, 4},
                                                                    {7, 6, 6, 6, 6, 3, 1},
                                                                    {25, 27, 19, 22, 25, 14, 7}}};
  for (std::size_t k = 0; k < expected.size(); ++k) {
    std::uint64_t state = k + 1;
    const auto next = [&](int n) {
      state = state * 6364136223846793005u + 1442695040888963407u;
      return static_cast<int>((state >> 33) % static_cast<std::uint64_t>(n));
    };
    const int count = 5 + next(26);
    std::vector<Note> reference, estimated;
    int time = 0;
    for (int i = 0; i < count; ++i) {
      time += 5 * next(40);
      const int end = time + 50 + 10 * next(60), pitch = 60 + next(4), kind = next(8);
      reference.push_back(note(time / 1000.0, end / 1000.0, pitch));
      if (kind == 0) continue;
      const int start = std::max(time + 25 * (next(9) - 4), 0);
      const int stop = std::max(end + 25 * (next(13) - 6), start + 10);
      const int other = next(4) != 0 ? pitch : 60 + next(4);
      estimated.push_back(note(start / 1000.0, stop / 1000.0, other));
      if (kind == 1) estimated.push_back(note((start + 25) / 1000.0, (stop + 25) / 1000.0, other));
    }
    std::array<std::int64_t, 7> found{static_cast<std::int64_t>(reference.size()),
                                      static_cast<std::int64_t>(estimated.size())};
    std::size_t at = 2;
    for (double tolerance : {0.05, 0.1, 0.15})
      found[at++] =
          match_notes(reference, estimated, {.onset_s = tolerance, .pitch = false, .offset = false}).matched;
    found[at++] = match_notes(reference, estimated, {.offset = false}).matched;
    found[at++] = match_notes(reference, estimated).matched;
    INFO("performance " << k);
    CHECK(found == expected[k]);
  }
}
