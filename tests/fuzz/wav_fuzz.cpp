// WAV files: every sample can be read and is finite.
#include <cmath>
#include <cstdint>

#include "imu2music/io/wav_reader.hpp"
#include "memory_input.hpp"

namespace {

void read(std::string_view bytes) {
  const imu2music::WavFile file(fuzz::as_file(bytes));
  for (std::int64_t frame = 0; frame < file.frames(); ++frame)
    for (int channel = 0; channel < file.channels(); ++channel)
      fuzz::require(std::isfinite(file.sample(frame, channel)), "a sample");
  fuzz::require(std::isfinite(file.seconds()), "the length");
}

const fuzz::Target target("wav", read);

}  // namespace
