// kernels/cuda/layer_norm.cuh beside the CPU.
#include "imu2music/ops/layer_norm.hpp"

#include "cuda/on_device.hpp"

using namespace imu2music;

TEST_CASE("layer norm on the device: every width around a warp, with and without a residual") {
  Context* context = test::device();
  if (context == nullptr) return;
  Context cpu;
  for (const std::int64_t D : {1, 2, 31, 32, 33, 63, 64, 65, 127, 128, 129, 511, 512, 513, 700})
    for (const std::int64_t rows : {1, 7, 9})
      for (const bool with_residual : {false, true}) {
        INFO("D " << D << ", rows " << rows << ", residual " << with_residual);
        const auto x = test::numbers({rows, D}, 1), r = test::numbers({rows, D}, 2),
                   gamma = test::numbers({D}, 3), beta = test::numbers({D}, 4);
        const auto residual = with_residual ? r : Tensor<float>();
        test::check_close(*context,
                          layer_norm(*context, on_device_of(*context, x), on_device_of(*context, residual),
                                     on_device_of(*context, gamma), on_device_of(*context, beta), 1e-5f),
                          layer_norm(cpu, x, residual, gamma, beta, 1e-5f));
      }
}
