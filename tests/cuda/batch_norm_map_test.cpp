// kernels/cuda/batch_norm_map.cuh beside the CPU.
#include "imu2music/ops/batch_norm_map.hpp"

#include "cuda/on_device.hpp"

using namespace imu2music;

TEST_CASE("a batch norm's map on the device: every number of channels around a warp and a block") {
  Context* context = test::device();
  if (context == nullptr) return;
  Context cpu;
  for (const std::int64_t C : {0, 1, 31, 32, 33, 127, 128, 129, 300}) {
    INFO("channels " << C);
    const auto gamma = test::numbers({C}, 1), beta = test::numbers({C}, 2), mean = test::numbers({C}, 3);
    auto variance = test::numbers({C}, 4);
    for (float& v : variance.values()) v *= v;
    test::check_close(*context,
                      batch_norm_map(*context, on_device_of(*context, gamma), on_device_of(*context, beta),
                                     on_device_of(*context, mean), on_device_of(*context, variance), 1e-5),
                      batch_norm_map(cpu, gamma, beta, mean, variance, 1e-5), 1e-6);
  }
}
