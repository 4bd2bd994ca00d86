#include "imu2music/ops/spectrum.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <complex>
#include <numbers>

#include "random.hpp"

using namespace imu2music;

TEST_CASE("spectra are Fourier's sums under the window, for odd lengths and even ones") {
  Context context;
  for (const std::int64_t length : {1, 2, 5, 8, 25}) {
    const auto x = test::random_tensor<double>({2, 3, 4 * length}, 1);
    const auto y = spectrum(context, x, SpectrumTables(length));
    const std::int64_t bins = length / 2 + 1;
    REQUIRE(y.shape() == Shape{2, 3, 4 * bins});
    const double turn = 2 * std::numbers::pi / double(length);
    for (std::int64_t row = 0; row < 24; ++row)
      for (std::int64_t k = 0; k < bins; ++k) {
        std::complex<double> sum = 0;
        for (std::int64_t n = 0; n < length; ++n)
          sum += (1 - std::cos(turn * double(n))) / 2 * x[row * length + n] *
                 std::exp(std::complex<double>(0, -turn * double(k * n)));
        CHECK(y[row * bins + k] == doctest::Approx(std::abs(sum) / (double(length) / 2)).epsilon(1e-12));
      }
  }
  CHECK_THROWS_AS(spectrum(context, Tensor<double>({2, 26}), SpectrumTables(25)), ShapeError);
}
