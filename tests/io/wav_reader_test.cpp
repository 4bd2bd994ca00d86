#include "imu2music/io/wav_reader.hpp"

#include <doctest/doctest.h>

#include <bit>
#include <cstdint>
#include <string>

#include "io/wav_builder.hpp"
#include "support.hpp"

using namespace imu2music;
using test::little;
using test::wav_chunk;
using test::wav_file;
using test::wav_format;

namespace {

struct Scratch {
  test::ScratchFolder folder;
  std::string write(const std::string& bytes) const {
    test::write_file(folder / "s.wav", bytes);
    return folder / "s.wav";
  }
};

void check_refused(const std::string& bytes, const std::string& part) {
  const Scratch scratch;
  const std::string path = scratch.write(bytes);
  try {
    const WavFile file(path);
    FAIL("was read: " << part);
  } catch (const InputError& error) {
    INFO(error.what());
    CHECK(std::string(error.what()).rfind(path + ": ", 0) == 0);
    CHECK(std::string(error.what()).find(part) != std::string::npos);
  }
}

std::string with(const std::string& format, const std::string& samples) {
  return wav_file(wav_chunk("fmt ", format) + wav_chunk("data", samples));
}

}  // namespace

TEST_CASE("samples of each width, two channels") {
  const Scratch scratch;
  const auto check = [&](int coding, int bits, const std::string& samples, double a, double b, double c,
                         double d) {
    INFO(coding << " " << bits);
    const WavFile file(scratch.write(with(wav_format(coding, 2, 8000, bits), samples)));
    CHECK(file.channels() == 2);
    CHECK(file.rate_hz() == 8000);
    REQUIRE(file.frames() == 2);
    CHECK(file.seconds() == 2.0 / 8000);
    CHECK(file.sample(0, 0) == a);
    CHECK(file.sample(0, 1) == b);
    CHECK(file.sample(1, 0) == c);
    CHECK(file.sample(1, 1) == d);
  };
  check(1, 8, std::string("\x80\x00\xc0\xff", 4), 0, -1, 0.5, 127.0 / 128);
  check(1, 16, little(0, 2) + little(0x8000, 2) + little(0x4000, 2) + little(0xFFFF, 2), 0, -1, 0.5,
        -1.0 / 32768);
  check(1, 24, little(0, 3) + little(0x800000, 3) + little(0x400000, 3) + little(0xFFFFFF, 3), 0, -1, 0.5,
        -1.0 / 8388608);
  check(1, 32, little(0, 4) + little(0x80000000, 4) + little(0x40000000, 4) + little(1, 4), 0, -1, 0.5,
        1.0 / 2147483648.0);
  const auto f32 = [](float value) { return little(std::bit_cast<std::uint32_t>(value), 4); };
  const auto f64 = [](double value) { return little(std::bit_cast<std::uint64_t>(value), 8); };
  check(3, 32, f32(0.25f) + f32(-1.5f) + f32(__builtin_nanf("")) + f32(1), 0.25, -1.5, 0, 1);
  check(3, 64, f64(0.1) + f64(-1) + f64(0) + f64(__builtin_inf()), 0.1, -1, 0, 0);
}

TEST_CASE("other chunks, odd sizes, the extensible form and files that were cut off") {
  const Scratch scratch;
  const std::string samples = little(1, 2) + little(2, 2) + little(3, 2);
  const std::string extensible = [] {
    std::string format = wav_format(0xFFFE, 1, 44100, 16) + little(22, 2) + little(16, 2) + little(4, 4);
    return format + little(1, 2) + std::string(14, '\x11');
  }();
  const WavFile file(scratch.write(wav_file(wav_chunk("LIST", "odd") + wav_chunk("fmt ", extensible) +
                                            wav_chunk("bext", std::string(7, 'x')) +
                                            wav_chunk("data", samples) + wav_chunk("LIST", "after"))));
  CHECK(file.frames() == 3);
  CHECK(file.sample(2, 0) == 3.0 / 32768);
  // A recorder that was stopped: the header claims more than there is.
  std::string open = with(wav_format(1, 1, 44100, 16), samples);
  open.replace(40, 4, little(0xFFFFFFFF, 4));
  CHECK(WavFile(scratch.write(open)).frames() == 3);
  CHECK(WavFile(scratch.write(with(wav_format(1, 1, 44100, 16), ""))).frames() == 0);
}

TEST_CASE("sizes that a recorder has not come to writing") {
  const Scratch scratch;
  const std::string whole =
      wav_file(wav_chunk("fmt ", wav_format(1, 1, 8000, 16)) + wav_chunk("data", "abcd"));
  const std::size_t data = whole.find("data") + 4;
  for (const char riff : {'\0', '\x24'}) {
    std::string cut = whole;
    cut.replace(data, 4, 4, '\0');
    cut.replace(4, 4, std::string(1, riff) + std::string(3, '\0'));
    CHECK(WavFile(scratch.write(cut)).frames() == 2);
  }
  // None at all, with something else after them, is what it says.
  const std::string none = wav_file(wav_chunk("fmt ", wav_format(1, 1, 8000, 16)) + wav_chunk("data", "") +
                                    wav_chunk("LIST", "text"));
  CHECK(WavFile(scratch.write(none)).frames() == 0);
}

TEST_CASE("what is no sound that can be read is refused") {
  const std::string good = with(wav_format(1, 1, 8000, 16), little(1, 2));
  check_refused("", "is no WAV file");
  check_refused("RIFF", "is no WAV file");
  check_refused("RF64" + good.substr(4), "RF64");
  check_refused(good.substr(0, 12), "has no format");
  check_refused(good.substr(0, 36), "has no samples");
  check_refused(with(wav_format(2, 1, 8000, 4), "xx"), "coding 2");
  check_refused(with(wav_format(1, 1, 8000, 12), "xx"), "12 bits");
  check_refused(with(wav_format(1, 0, 8000, 16), "xx"), "contradicts itself");
  check_refused(with(wav_format(1, 1, 0, 16), "xx"), "contradicts itself");
  check_refused(with("short", "xx"), "5 bytes");
  check_refused(wav_file(wav_chunk("data", "xx") + wav_chunk("fmt ", wav_format(1, 1, 8000, 16))),
                "before their format");
  for (std::size_t length = 0; length < good.size() - 2; ++length) {  // at every cut
    const Scratch scratch;
    const std::string path = scratch.write(good.substr(0, length));
    if (length >= 44)
      CHECK_NOTHROW(WavFile{path});
    else
      CHECK_THROWS_AS(WavFile{path}, InputError);
  }
}

TEST_CASE("a recorded clip") {
  const std::string path =
      test::shared_file("data/bach-violin/clips/john-garner_bwv1002_mov6_30s_22k_mono.wav");
  if (path.empty()) return;
  const WavFile file(path);
  CHECK(file.channels() == 1);
  CHECK(file.rate_hz() == 22050);
  CHECK(file.seconds() == doctest::Approx(30).epsilon(0.01));
}
