// kernels/cuda/multiply.cuh beside the CPU.
#include "imu2music/ops/multiply.hpp"

#include "cuda/on_device.hpp"

using namespace imu2music;

TEST_CASE("products element by element on the device: every size around a warp and a block") {
  Context* context = test::device();
  if (context == nullptr) return;
  Context cpu;
  for (const std::int64_t size : {0, 1, 31, 32, 33, 255, 256, 257, 1000}) {
    INFO("size " << size);
    const auto a = test::numbers({size}, 1), b = test::numbers({size}, 2);
    test::check_close(*context, multiply(*context, on_device_of(*context, a), on_device_of(*context, b)),
                      multiply(cpu, a, b), 0);
  }
}
