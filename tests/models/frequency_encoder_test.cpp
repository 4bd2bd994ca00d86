#include "imu2music/models/imu_encoders/frequency_encoder.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <numbers>

using namespace imu2music;

TEST_CASE("a constant and whole cycles a second have the spectra that Hann's window gives them") {
  Context context;
  Tensor<double> input({1, 2, 3, 150});
  for (std::int64_t n = 0; n < 150; ++n) {
    const double phase = 2 * std::numbers::pi * static_cast<double>(n) / 25;
    input[n] = 3;                                            // first row: a constant
    input[150 + n] = 2 * std::cos(5 * phase + 0.7);          // second: 5 Hz, amplitude 2
    input[300 + n] = n < 25 ? 0 : std::sin(12 * phase + 1);  // third: silent in its first second
  }
  const auto spectrum = FrequencyEncoder<double>().spectrum(context, input);
  REQUIRE(spectrum.shape() == Shape{1, 2, 3, 78});
  for (std::int64_t s = 0; s < 6; ++s)
    for (std::int64_t k = 0; k < 13; ++k) {
      const std::int64_t at = s * 13 + k;
      CHECK(spectrum[at] == doctest::Approx(k == 0 ? 3 : k == 1 ? 1.5 : 0).epsilon(1e-9));
      CHECK(spectrum[78 + at] == doctest::Approx(k == 5 ? 1 : k == 4 || k == 6 ? 0.5 : 0).epsilon(1e-9));
      if (s == 0) CHECK(spectrum[156 + at] == 0);
    }
  CHECK(spectrum[156 + 13 + 12] > 0.4);
}

TEST_CASE("the encoder's layers fit the spectrum's width") {
  FrequencyEncoder<float> encoder(8);
  CHECK(encoder.net.fcn.weight.shape == Shape{8, 331});
  std::uint64_t stream = 0;
  const auto initialise = [&]<class Entry>(const std::string&, Entry& entry) {
    if constexpr (std::is_same_v<Entry, Parameter<float>>) entry.initialize(Philox(3, stream++));
  };
  encoder.visit(initialise, "imu_net.");
  Context context;
  CHECK(encoder.forward(context, Tensor<float>({2, 2, 3, 150})).shape() == Shape{2, 27, 8});
  CHECK_THROWS_AS(encoder.forward(context, Tensor<float>({2, 2, 3, 78})), ShapeError);
}
