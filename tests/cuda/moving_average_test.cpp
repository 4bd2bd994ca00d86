// kernels/cuda/moving_average.cuh beside the CPU.
#include "imu2music/ops/moving_average.hpp"

#include "cuda/on_device.hpp"

using namespace imu2music;

TEST_CASE("running statistics on the device: every size around a warp and a block") {
  Context* context = test::device();
  if (context == nullptr) return;
  Context cpu;
  for (const std::int64_t size : {0, 1, 31, 32, 33, 127, 128, 129, 300}) {
    INFO("size " << size);
    const auto x = test::numbers({size}, 1);
    auto running = test::numbers({size}, 2);
    auto there = on_device_of(*context, running);
    moving_average(cpu, x, running, 0.9, 0.1);
    moving_average(*context, on_device_of(*context, x), there, 0.9, 0.1);
    test::check_close(*context, there, running, 1e-6);
  }
}
