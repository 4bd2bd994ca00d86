#include "imu2music/train/sound_span.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <optional>
#include <string>

#include "io/wav_builder.hpp"
#include "support.hpp"

using namespace imu2music;

namespace {

template <class Wave>
std::optional<SoundSpan> span_of(double seconds, const Wave& wave) {
  test::ScratchFolder scratch;
  test::write_file(scratch / "s.wav", test::wav_of(8000, seconds, wave));
  return sound_span(WavFile(scratch / "s.wav"));
}

double tone(double t) { return 0.3 * std::sin(2 * 3.14159265 * 440 * t); }

}  // namespace

TEST_CASE("from the first lasting sound to the last, with a margin") {
  // A click at 0.3 s, shorter than 0.1 s; sound from 1 s to 4 s with a rest in it; a click at 5.5 s.
  const auto span = span_of(7, [](double t) {
    if (t > 0.3 && t < 0.35) return 0.9;
    if (t > 5.5 && t < 5.56) return -0.9;
    return (t >= 1 && t < 2) || (t >= 2.6 && t < 4) ? tone(t) : 0.0;
  });
  REQUIRE(span.has_value());
  CHECK(std::abs(span->begin_s - 0.9) < 0.021);
  CHECK(std::abs(span->end_s - 4.1) < 0.021);
}

TEST_CASE("one percent of full scale is the line") {
  CHECK(span_of(1, [](double) { return 0.0101; }).has_value());
  CHECK_FALSE(span_of(1, [](double) { return 0.0099; }).has_value());
  CHECK_FALSE(span_of(1, [](double) { return 0.0; }).has_value());
  CHECK_FALSE(span_of(0.09, tone).has_value());  // shorter than 0.1 s
  CHECK_FALSE(span_of(0, tone).has_value());
}

TEST_CASE("sound from end to end keeps all") {
  const auto span = span_of(2, tone);
  REQUIRE(span.has_value());
  CHECK(span->begin_s == 0);
  CHECK(span->end_s == 2);
}
