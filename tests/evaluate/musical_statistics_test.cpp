#include "imu2music/evaluate/musical_statistics.hpp"

#include <doctest/doctest.h>

#include <array>
#include <cmath>
#include <numeric>
#include <vector>

using namespace imu2music;

namespace {

std::vector<Note> melody(std::initializer_list<int> pitches, double step = 0.5) {
  std::vector<Note> notes;
  for (int pitch : pitches) {
    const double start = step * static_cast<double>(notes.size());
    notes.push_back({.pitch = pitch, .start = start, .end = start + step});
  }
  return notes;
}

double sum(std::span<const double> values) { return std::accumulate(values.begin(), values.end(), 0.0); }

}  // namespace

TEST_CASE("a window by hand") {
  // C E G C' and an F sharp with the last.
  std::vector<Note> notes = melody({60, 64, 67, 72});
  notes.push_back({.pitch = 66, .start = 1.5, .end = 2});
  const WindowMusic music = window_music(notes);
  CHECK(music.notes == 5);
  CHECK(music.range == 12);
  CHECK(music.mean_pitch == doctest::Approx(65.8));
  CHECK(music.intervals == 3);
  CHECK(music.mean_log2_interval == doctest::Approx(-1));
  CHECK(music.pitch_class_entropy == doctest::Approx(0.4 * std::log2(2.5) + 0.6 * std::log2(5.0)));
  CHECK(music.scale_consistency == 0.8 + 0.2);  // G major has all five
  const MusicHistograms& h = music.histograms;
  CHECK(h.pitch_class[0] == 2);
  CHECK(h.pitch_class[6] == 1);
  CHECK(h.note_count[4] == 1);  // 4 or 5
  CHECK(h.range[6] == 1);
  CHECK(h.interval[10] == 3);  // 2^-1 s is the low edge of bin 10
  CHECK(sum(h.interval) == 3);
}

TEST_CASE("scale consistency counts what lies outside every scale") {
  CHECK(window_music(melody({60, 61, 62})).scale_consistency == doctest::Approx(2.0 / 3));
  std::vector<Note> chromatic;
  for (int p = 60; p < 72; ++p) chromatic.push_back({.pitch = p, .start = p * 0.1, .end = p * 0.1 + 0.1});
  const WindowMusic music = window_music(chromatic);
  CHECK(music.scale_consistency == doctest::Approx(7.0 / 12));
  CHECK(music.pitch_class_entropy == doctest::Approx(std::log2(12.0)));
}

TEST_CASE("a window without notes counts as one, and everything lands in some bin") {
  const WindowMusic silent = window_music({});
  CHECK(silent.notes == 0);
  CHECK(silent.histograms.note_count[0] == 1);
  CHECK(sum(silent.histograms.range) == 0);
  CHECK(sum(silent.histograms.pitch_class) == 0);
  std::vector<Note> extreme = {{.pitch = 0, .start = 0, .end = 1},
                               {.pitch = 127, .start = 0.001, .end = 1},
                               {.pitch = 127, .start = 60, .end = 61}};
  const WindowMusic wide = window_music(extreme);
  CHECK(wide.histograms.range[24] == 1);
  CHECK(wide.histograms.interval[0] == 1);
  CHECK(wide.histograms.interval[17] == 1);
  const WindowMusic dense = window_music(std::vector<Note>(200, Note{}));
  CHECK(dense.histograms.note_count[12] == 1);
  CHECK(dense.intervals == 0);
}

TEST_CASE("overlap area and KL by hand") {
  const std::array a{2.0, 2.0, 0.0}, b{0.0, 1.0, 1.0}, nothing{0.0, 0.0, 0.0};
  CHECK(overlap_area(a, a) == 1);
  CHECK(overlap_area(a, b) == 0.5);
  CHECK(overlap_area(a, nothing) == 0);
  CHECK(std::isnan(overlap_area(nothing, nothing)));
  CHECK(std::isnan(kl_divergence(nothing, nothing)));
  CHECK(kl_divergence(a, a) == 0);
  // With half a count more: p = 2.5, 2.5, 0.5 of 5.5; q = 0.5, 1.5, 1.5 of 3.5.
  const double expected = 2.5 / 5.5 * std::log(2.5 / 5.5 / (0.5 / 3.5)) +
                          2.5 / 5.5 * std::log(2.5 / 5.5 / (1.5 / 3.5)) +
                          0.5 / 5.5 * std::log(0.5 / 5.5 / (1.5 / 3.5));
  CHECK(kl_divergence(a, b) == doctest::Approx(expected));
}

TEST_CASE("histograms add up with weights") {
  MusicHistograms all;
  all.add(window_music(melody({60, 62})).histograms, 2);
  all.add(window_music(melody({60})).histograms);
  CHECK(all.pitch_class[0] == 3);
  CHECK(all.pitch_class[2] == 2);
  CHECK(all.note_count[1] == 1);
  CHECK(all.note_count[2] == 2);
}

TEST_CASE("bins are different where generated windows go elsewhere") {
  std::vector<WindowMusic> low_and_high, low, again;
  std::vector<std::size_t> recording;
  for (int i = 0; i < 40; ++i) {
    const int p = i % 2 == 0 ? 55 : 79;
    low_and_high.push_back(window_music(melody({p, p + 2, p + 4 + i % 3})));
    again.push_back(window_music(melody({p, p + 2, p + 4 + (i + 1) % 3})));
    low.push_back(window_music(melody({55, 57, 59 + i % 3})));
    recording.push_back(static_cast<std::size_t>(i) / 10);
  }
  const DifferentBins same(low_and_high, again, recording, 4, 1), other(low_and_high, low, recording, 4, 1);
  CHECK(same.bins() == 8);
  CHECK(same.share() == 0);
  CHECK(other.share() > 0.3);
  CHECK(other.share(std::array{1.0, 1.0, 1.0, 1.0}) == other.share());
  CHECK(std::isnan(other.share(std::array{0.0, 0.0, 0.0, 0.0})));
  CHECK(DifferentBins(low_and_high, low, recording, 4, 1).share() == other.share());
}

TEST_CASE("too few windows have no bins, and ten is the most") {
  std::vector<WindowMusic> windows(9, window_music(melody({60})));
  std::vector<std::size_t> recording(9, 0);
  const DifferentBins few(windows, windows, recording, 1, 0);
  CHECK(few.bins() == 0);
  CHECK(std::isnan(few.share()));
  windows.resize(200, window_music({}));
  recording.resize(200, 0);
  const DifferentBins many(windows, windows, recording, 1, 0);
  CHECK(many.bins() == 10);
  CHECK(many.share() == 0);
  CHECK_THROWS_AS(DifferentBins(windows, windows, std::vector<std::size_t>(3), 1, 0), ShapeError);
}
