// kernels/cuda/sinusoids.cuh beside the CPU.
#include "imu2music/ops/sinusoids.hpp"

#include "cuda/on_device.hpp"

using namespace imu2music;

TEST_CASE("sinusoids on the device") {
  Context* context = test::device();
  if (context == nullptr) return;
  Context cpu;
  for (const std::int64_t D : {1, 2, 33, 128})
    for (const std::int64_t N : {0, 1, 5, 17}) {
      Tensor<double> u(Shape{N}), rates(Shape{(D + 1) / 2});
      for (std::int64_t n = 0; n < N; ++n) u[n] = 12.5 * double(n) / 3;
      for (std::int64_t i = 0; i < rates.size(); ++i)
        rates[i] = std::pow(10000.0, -2.0 * double(i) / double(D));
      test::check_close(*context, sinusoids<float>(*context, u, rates, D),
                        sinusoids<float>(cpu, u, rates, D));
    }
}
