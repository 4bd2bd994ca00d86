#include "imu2music/train/pairing.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <vector>

#include "support.hpp"
#include "train/pairs.hpp"

using namespace imu2music;

TEST_CASE("a cut keeps the samples from its begin to before its end") {
  const Recording whole = test::noise_recording(1, 4, 50);
  const Recording part = cut_recording(whole, 0.5, 2);
  for (std::size_t s = 0; s < 2; ++s) {
    const SensorTrack &before = whole.sensors[s], &after = part.sensors[s];
    CHECK(after.sample_count() == 75);
    CHECK(after.clock.start_s == 0);
    for (std::size_t c = 0; c < 3; ++c)
      for (int axis = 0; axis < 3; ++axis)
        for (std::size_t i = 0; i < 75; i += 11)
          CHECK(after.channels[c].axis(axis)[i] == before.channels[c].axis(axis)[i + 25]);
  }
  CHECK(cut_recording(whole, 0.51, 0.55).sensors[0].sample_count() == 2);  // at 0.52 and 0.54
  CHECK(cut_recording(whole, 0.51, 0.55).sensors[0].clock.start_s == doctest::Approx(0.01));
  CHECK_THROWS_AS(cut_recording(whole, 5, 6), InputError);
}

TEST_CASE("a cut that takes all changes no bit") {
  const Recording whole = test::noise_recording(1, 4, 52.3);
  const TimeSpan span = common_span(whole);
  CHECK(span.begin_s == 0);
  const Recording same = cut_recording(whole, span.begin_s, span.end_s);
  for (std::size_t s = 0; s < 2; ++s) {
    CHECK(same.sensors[s].clock.start_s == 0);
    for (std::size_t c = 0; c < 3; ++c)
      CHECK(same.sensors[s].channels[c].samples == whole.sensors[s].channels[c].samples);
  }
}

TEST_CASE("time stamps and clock resets are cut along") {
  Recording recording = test::noise_recording(1, 1, 10);
  recording.sensors.pop_back();
  recording.sensors[0].clock.times_s = {1.0, 1.1, 1.25, 1.3, 1.4, 1.5, 1.6, 1.7, 1.8, 1.9};
  recording.sensors[0].clock.resets = {{2, 0.1}, {5, 0.2}, {9, 0.3}};
  const Recording part = cut_recording(recording, 1.2, 1.85);
  REQUIRE(part.sensors[0].sample_count() == 7);
  CHECK(part.sensors[0].clock.times_s.front() == doctest::Approx(0.05));
  CHECK(part.sensors[0].clock.times_s.back() == doctest::Approx(0.6));
  REQUIRE(part.sensors[0].clock.resets.size() == 1);
  CHECK(part.sensors[0].clock.resets[0].sample == 3);
  check_recording(part);
  const TimeSpan span = common_span(recording);
  CHECK(cut_recording(recording, span.begin_s, span.end_s).sensors[0].sample_count() == 10);
}

TEST_CASE("sensors of different spans share what all of them saw") {
  Recording recording = test::noise_recording(1, 4, 50);
  recording.sensors[1].clock.start_s = 0.7;
  const TimeSpan span = common_span(recording);
  CHECK(span.begin_s == 0.7);
  CHECK(span.end_s == 4);
  const Recording cut = cut_recording(recording, span.begin_s, span.end_s);
  CHECK(cut.sensors[0].sample_count() == 165);
  CHECK(cut.sensors[1].sample_count() == 165);
  recording.sensors[1].clock.start_s = 9;
  CHECK_THROWS_AS(common_span(recording), InputError);
  CHECK_THROWS_AS(common_span(Recording()), InputError);
}

TEST_CASE("notes go with the motion") {
  const std::vector<Note> notes = {{60, 64, 0, 0.4}, {61, 64, 0.3, 0.9}, {62, 64, 1, 2},
                                   {63, 64, 2, 5},   {64, 64, 2.5, 2.6}, {65, 64, 3, 4}};
  const PlacedNotes placed = place_notes(notes, 0.5, 2.5);
  CHECK(placed.notes ==
        std::vector<Note>{{61, 64, 0, 0.4}, {62, 64, 0.5, 1.5}, {63, 64, 1.5, 4.5}, {64, 64, 2, 2.1}});
  CHECK(placed.outside == 2);
  CHECK(placed.goes_on);
  CHECK_FALSE(place_notes(notes, 0, 10).goes_on);
  CHECK(place_notes(notes, 0, 10).notes == notes);
}
