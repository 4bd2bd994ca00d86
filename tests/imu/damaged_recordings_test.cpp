// Recordings damaged at random, but the same way each time: whatever comes of it is read, or refused in one
// line that names the file. The fuzz target of the same purpose is tests/fuzz/recording_fuzz.cpp.
#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <string>
#include <string_view>

#include "error_text.hpp"
#include "imu2music/core/random.hpp"
#include "imu2music/imu/diagnose.hpp"
#include "imu2music/imu/read_recording.hpp"
#include "imu2music/imu/resample.hpp"
#include "recording_texts.hpp"
#include "support.hpp"

using namespace imu2music;

namespace {

constexpr std::array<std::string_view, 24> pieces = {
    ",",     ";",      "\t",     "\n",          "\r\n", "\"",    "nan",  "-inf",
    "1e308", "-1e308", "1e-320", "-",           "0,5",  "65535", "1e18", "x",
    "state", "[",      "]",      "{\"imu\": {", "}",    "//",    "#",    "\xEF\xBB\xBF"};

std::string damaged(std::string text, Philox& random) {
  const int changes = 1 + static_cast<int>(random.below(2));
  for (int change = 0; change < changes; ++change) {
    const auto place = [&] {
      return static_cast<std::size_t>(random.below(static_cast<std::uint32_t>(text.size() + 1)));
    };
    const std::size_t a = place(), b = place();
    const std::size_t begin = std::min(a, b), length = std::min<std::size_t>(std::max(a, b) - begin, 200);
    switch (random.below(8)) {
      case 0:
        if (begin < text.size()) text[begin] = static_cast<char>(random.below(256));
        break;
      case 1:
        text.erase(begin, length);
        break;
      case 2:
        text.insert(begin, text.substr(begin, length));
        break;
      case 3:
        text.resize(begin);
        break;
      case 4:
      case 5:
      case 6:
        if (begin < text.size() && text[begin] >= '0' && text[begin] <= '9')
          text[begin] = static_cast<char>('0' + random.below(10));
        break;
      default:
        text.insert(begin, pieces[random.below(pieces.size())]);
    }
  }
  return text;
}

}  // namespace

TEST_CASE("damaged recordings are read or refused in one line") {
  int read = 0, refused = 0;
  std::uint64_t stream = 0;
  for (const char* whole : test::recording_texts) {
    Philox random(7, stream++);
    for (int round = 0; round < 1500; ++round) {
      const std::string text = damaged(whole, random);
      ReadOptions options;
      if (round % 2 == 1) options.units = {"g", "dps", "deg", "ms", 100.0};
      try {
        const Recording recording = parse_recording(text, "take.csv", options);
        check_recording(recording);
        const Diagnosis diagnosis = diagnose(recording);
        describe(diagnosis);
        CHECK(std::isfinite(diagnosis.duration_s));
        const Recording even = at_rate(recording, 25);
        for (const SensorTrack& sensor : even.sensors)
          for (const Channel& channel : sensor.channels)
            for (const float value : channel.samples) REQUIRE(std::isfinite(value));
        ++read;
      } catch (const InputError& error) {
        const std::string message = error.what();
        if (message.find("take.csv") == std::string::npos || message.find('\n') != std::string::npos) {
          INFO(text);
          INFO(message);
          CHECK(false);
        }
        ++refused;
      }
    }
  }
  // The damage is of a kind that some survive and some do not.
  CHECK(read > 1000);
  CHECK(refused > 2000);
}

TEST_CASE("ten hours at 25 Hz are read, and their one gap is found") {
  std::string text = "time_ms,acc_x_g,acc_y_g,acc_z_g\n";
  constexpr int n = 10 * 3600 * 25;
  text.reserve(n * 24);
  for (int i = 0; i < n; ++i) {
    text += std::to_string(40LL * i + (i > n / 2 ? 5000 : 0));
    text += i % 2 == 0 ? ",0.5,-0.25,1\n" : ",0.25,0.5,1\n";
  }
  const Recording recording = parse_recording(text, "night.csv");
  CHECK(recording.sensors[0].sample_count() == n);
  const Diagnosis d = diagnose(recording);
  CHECK(d.duration_s == doctest::Approx(36005).epsilon(1e-4));
  REQUIRE(d.gaps.size() == 1);
  CHECK(d.gaps[0].length_s == doctest::Approx(5.04));
  CHECK(at_rate(recording, 25).sensors[0].sample_count() == n + 125);
}

TEST_CASE("a grid of more than 32 times the samples, and of more than 20000, is refused, not filled") {
  const auto with_gap = [](double gap_s, int n) {
    std::string text = "time_s,acc_x_g,acc_y_g,acc_z_g\n";
    for (int i = 0; i < n; ++i) text += std::to_string(0.01 * i + (i == n - 1 ? gap_s : 0)) + ",0,0,1\n";
    return parse_recording(text, "take.csv");
  };
  CHECK(at_rate(with_gap(199, 10), 25).notes.size() == 1);
  CHECK_THROWS_AS(at_rate(with_gap(200, 10), 25), InputError);
  CHECK(at_rate(with_gap(300, 1000), 25).notes.size() == 1);
  CHECK_THROWS_AS(at_rate(with_gap(320, 1000), 25), InputError);
  const Recording recording = with_gap(1e8, 10);
  CHECK(diagnose(recording).gaps.size() == 1);
  CHECK(test::is_line_with(test::error_text<InputError>([&] { at_rate(recording, 25); }),
                           {"take.csv", "gaps", "cut"}));
}
