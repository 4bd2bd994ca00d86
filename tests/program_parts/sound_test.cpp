#include "sound.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <vector>

#include "imu2music/core/error.hpp"
#include "support.hpp"

using imu2music::InputError;
using imu2music::Note;

namespace {

struct Wav {
  int channels = 0, rate = 0, bits = 0;
  std::vector<int> samples;  // both channels
  std::size_t frames() const { return samples.size() / static_cast<std::size_t>(std::max(channels, 1)); }
  // The root mean square between two times, full scale = 1.
  double level(double from_s, double to_s) const {
    double sum = 0;
    std::size_t first = static_cast<std::size_t>(from_s * rate) * 2,
                last = static_cast<std::size_t>(to_s * rate) * 2;
    for (std::size_t i = first; i < last; ++i) sum += double(samples.at(i)) * samples[i];
    return std::sqrt(sum / double(last - first)) / 32768;
  }
  int peak() const {
    int largest = 0;
    for (int sample : samples) largest = std::max(largest, std::abs(sample));
    return largest;
  }
};

// Reads what the header says by itself, so that libsndfile does not vouch for libsndfile.
Wav read_wav(const std::string& path) {
  std::string bytes = test::read_file(path);
  auto number = [&](std::size_t at, int count) {
    unsigned value = 0;
    for (int i = count - 1; i >= 0; --i)
      value = value << 8 | static_cast<unsigned char>(bytes.at(at + static_cast<std::size_t>(i)));
    return value;
  };
  REQUIRE(bytes.size() >= 44);
  REQUIRE(bytes.substr(0, 4) == "RIFF");
  REQUIRE(number(4, 4) == bytes.size() - 8);
  REQUIRE(bytes.substr(8, 8) == "WAVEfmt ");
  REQUIRE(number(20, 2) == 1);  // PCM
  Wav wav;
  wav.channels = static_cast<int>(number(22, 2));
  wav.rate = static_cast<int>(number(24, 4));
  wav.bits = static_cast<int>(number(34, 2));
  std::size_t at = 20 + number(16, 4);
  REQUIRE(bytes.substr(at, 4) == "data");
  REQUIRE(number(at + 4, 4) == bytes.size() - at - 8);
  for (std::size_t i = at + 8; i + 1 < bytes.size(); i += 2)
    wav.samples.push_back(static_cast<std::int16_t>(number(i, 2)));
  return wav;
}

// Whether there is something to play with; the reason is printed where there is not.
bool can_play() {
  if (!sound_is_built_in()) {
    MESSAGE("skipped: this build has no sound");
    return false;
  }
  try {
    find_soundfont({});
  } catch (const InputError& error) {
    MESSAGE("skipped: " << std::string(error.what()));
    return false;
  }
  return true;
}

class Environment {
 public:
  explicit Environment(const char* value) {
    if (const char* old = std::getenv(name)) old_ = old, had_ = true;
    setenv(name, value, 1);
  }
  ~Environment() { had_ ? setenv(name, old_.c_str(), 1) : unsetenv(name); }
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;

 private:
  static constexpr const char* name = "IMU2MUSIC_SOUNDFONT";
  std::string old_;
  bool had_ = false;
};

// What reaches standard output and error while it lives.
class CapturedStreams {
 public:
  explicit CapturedStreams(const std::string& path) : path_(path) {
    std::fflush(nullptr);
    int file = open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    out_ = dup(1);
    error_ = dup(2);
    dup2(file, 1);
    dup2(file, 2);
    close(file);
  }
  ~CapturedStreams() { restore(); }
  CapturedStreams(const CapturedStreams&) = delete;
  CapturedStreams& operator=(const CapturedStreams&) = delete;
  std::string text() {
    restore();
    return test::read_file(path_);
  }

 private:
  void restore() {
    if (out_ < 0) return;
    std::fflush(nullptr);
    dup2(out_, 1);
    dup2(error_, 2);
    close(out_);
    close(error_);
    out_ = -1;
  }
  std::string path_;
  int out_ = -1, error_ = -1;
};

const std::vector<Note> two_notes{{67, 90, 0.5, 1.0}, {74, 110, 1.5, 2.0}};

}  // namespace

TEST_CASE("the sound has the notes where they are, its length, its peak, and always the same bytes") {
  if (!can_play()) return;
  test::ScratchFolder scratch;
  CapturedStreams streams(scratch / "streams");
  render_wav(scratch / "a.wav", two_notes);
  render_wav(scratch / "b.wav", two_notes);
  CHECK(streams.text() == "");
  CHECK(test::read_file(scratch / "a.wav") == test::read_file(scratch / "b.wav"));
  Wav wav = read_wav(scratch / "a.wav");
  CHECK(wav.channels == 2);
  CHECK(wav.rate == 44100);
  CHECK(wav.bits == 16);
  CHECK(wav.frames() == 154350);  // 2 s + 1.5 s
  CHECK(wav.level(0, 0.49) == 0);
  CHECK(wav.level(0.6, 1.0) > 0.01);
  CHECK(wav.level(1.6, 2.0) > 0.01);
  CHECK(wav.level(1.35, 1.5) < 0.3 * wav.level(0.6, 1.0));
  CHECK(wav.level(3.3, 3.5) < 0.1 * wav.level(1.6, 2.0));
  CHECK(wav.peak() <= 29204);  // 32767 · 10^(−1/20) = 29203.6
  CHECK(wav.peak() >= 29190);
  CHECK(wav.samples.back() == 0);
}

TEST_CASE("instrument, rate, tail and least length are obeyed") {
  if (!can_play()) return;
  test::ScratchFolder scratch;
  SoundOptions options;
  render_wav(scratch / "violin.wav", two_notes, options);
  options.program = 0;
  options.sample_rate = 22050;
  options.tail_s = 0.25;
  options.min_length_s = 4;
  render_wav(scratch / "piano.wav", two_notes, options);
  Wav wav = read_wav(scratch / "piano.wav");
  CHECK(wav.rate == 22050);
  CHECK(wav.frames() == 88200);
  options.min_length_s = 0;
  render_wav(scratch / "short.wav", two_notes, options);
  CHECK(read_wav(scratch / "short.wav").frames() == 49613);  // 2.25 s
  CHECK(test::read_file(scratch / "violin.wav").substr(0, 40000) !=
        test::read_file(scratch / "piano.wav").substr(0, 40000));
}

TEST_CASE("repeated and overlapping notes sound to their end") {
  if (!can_play()) return;
  test::ScratchFolder scratch;
  // The first note's end lies within the second of the same pitch and must not end it.
  std::vector<Note> notes{{67, 90, 0, 1.2}, {67, 90, 1.0, 3.0}};
  render_wav(scratch / "a.wav", notes);
  Wav wav = read_wav(scratch / "a.wav");
  CHECK(wav.level(2.5, 2.9) > 0.01);
}

TEST_CASE("no notes: silence") {
  if (!can_play()) return;
  test::ScratchFolder scratch;
  SoundOptions options;
  options.min_length_s = 2;
  render_wav(scratch / "a.wav", {}, options);
  Wav wav = read_wav(scratch / "a.wav");
  CHECK(wav.frames() == 88200);
  CHECK(wav.peak() == 0);
}

TEST_CASE("what cannot be rendered is refused, and nothing is left behind") {
  if (!can_play()) return;
  test::ScratchFolder scratch;
  auto refused = [&](SoundOptions options, std::vector<Note> notes = two_notes) {
    CHECK_THROWS_AS(render_wav(scratch / "a.wav", notes, options), InputError);
  };
  CapturedStreams streams(scratch / "streams");
  SoundOptions options;
  options.program = 128;
  refused(options);
  options = {};
  options.sample_rate = 1;
  refused(options);
  options = {};
  options.tail_s = -1;
  refused(options);
  options = {};
  options.min_length_s = 1e9;
  refused(options);
  refused({}, {{128, 64, 0, 1}});
  refused({}, {{60, 64, 0, 1e9}});
  options = {};
  options.soundfont = scratch / "none.sf2";
  refused(options);
  test::write_file(scratch / "text.sf2", "this is no soundfont");
  options.soundfont = scratch / "text.sf2";
  refused(options);
  // The start of a true one, and its frame around nothing.
  test::write_file(scratch / "text.sf2", test::read_file(find_soundfont({})).substr(0, 5000));
  refused(options);
  test::write_file(scratch / "text.sf2", std::string("RIFF\x04\0\0\0sfbk", 12));
  refused(options);
  CHECK_THROWS_AS(render_wav(scratch / "no/such/folder.wav", two_notes), InputError);
  CHECK(streams.text() == "");
  std::filesystem::remove(scratch / "streams");
  std::filesystem::remove(scratch / "text.sf2");
  CHECK(std::filesystem::is_empty(scratch.path()));
}

TEST_CASE("the soundfont is the one named, then the environment's, then a packaged one") {
  test::ScratchFolder scratch;
  test::write_file(scratch / "mine.sf2", "");
  test::write_file(scratch / "theirs.sf2", "");
  {
    Environment environment((scratch / "theirs.sf2").c_str());
    CHECK(find_soundfont(scratch / "mine.sf2") == scratch / "mine.sf2");
    CHECK(find_soundfont({}) == scratch / "theirs.sf2");
    CHECK_THROWS_AS(find_soundfont(scratch / "none.sf2"), InputError);
    CHECK_THROWS_AS(find_soundfont(scratch.path().string()), InputError);
  }
  Environment environment((scratch / "gone.sf2").c_str());
  CHECK_THROWS_WITH_AS(find_soundfont({}), doctest::Contains("IMU2MUSIC_SOUNDFONT"), InputError);
}

TEST_CASE("a build without sound says so") {
  if (sound_is_built_in()) return;
  CHECK_THROWS_WITH_AS(render_wav("a.wav", two_notes), doctest::Contains("this build has no sound"),
                       imu2music::DeviceError);
}
