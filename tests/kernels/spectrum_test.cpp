#include "cpu/spectrum.hpp"

#include <algorithm>
#include <cmath>
#include <complex>
#include <numbers>
#include <string>
#include <vector>

#include "columns.hpp"

using namespace imu2music;
using kernels::Isa;
using kernels::SpectrumKernels;

TEST_CASE("spectrum: every column is the definition, at every count of bins and rows around the vectors'") {
  const kernels::Context context;
  for (Isa isa : test::all_columns()) {
    const auto table = kernels::make_table<SpectrumKernels<float>>(isa);
    for (std::int64_t L = 1; L <= 36; ++L)
      for (const std::int64_t rows : {1, 3, 4, 5, 9})
        for (const std::int64_t offset : {0, 1}) {
          INFO(std::string(name_of(isa)) << ", length " << L << ", " << rows << " rows, offset " << offset);
          const std::int64_t bins = L / 2 + 1, stride = kernels::spectrum_stride(L);
          const double turn = 2 * std::numbers::pi / double(L);
          std::vector<double> window, cosine, sine, waves(static_cast<std::size_t>(2 * L * stride));
          for (std::int64_t n = 0; n < L; ++n) {
            window.push_back((1 - std::cos(turn * double(n))) / double(L));
            cosine.push_back(std::cos(turn * double(n)));
            sine.push_back(std::sin(turn * double(n)));
            for (std::int64_t k = 0; k < bins; ++k) {
              waves[static_cast<std::size_t>(2 * n * stride + k)] = std::cos(turn * double(k * n));
              waves[static_cast<std::size_t>((2 * n + 1) * stride + k)] = std::sin(turn * double(k * n));
            }
          }
          test::Numbers numbers(static_cast<std::uint64_t>(L));
          test::GuardedBuffer<float> x(rows * L, offset, numbers), y(rows * bins, offset),
              parts(rows * bins, offset);
          kernels::SpectrumArguments<float> a;
          a.x = x.data(), a.y = y.data(), a.length = L;
          a.window = window.data(), a.cosine = cosine.data(), a.sine = sine.data(), a.waves = waves.data();
          table.forward(context, a, 0, rows);
          for (std::int64_t row = 0; row < rows; ++row)
            for (std::int64_t k = 0; k < bins; ++k) {
              std::complex<double> sum = 0;
              for (std::int64_t n = 0; n < L; ++n)
                sum += window[static_cast<std::size_t>(n)] * double(x[row * L + n]) *
                       std::exp(std::complex<double>(0, -turn * double(k * n)));
              CHECK(std::abs(double(y[row * bins + k]) - std::abs(sum)) < 1e-6);
            }
          CHECK(y.guards_intact());
          a.y = parts.data();
          table.forward(context, a, rows / 2, rows);
          CHECK((rows == 1 || parts[0] == -12345.678f));  // untouched so far
          table.forward(context, a, 0, rows / 2);
          CHECK(test::same_bits(parts.data(), y.data(), rows * bins));
        }
  }
}
