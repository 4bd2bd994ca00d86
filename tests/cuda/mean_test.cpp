// kernels/cuda/mean.cuh and mean_backward.cuh beside the CPU.
#include "imu2music/ops/mean.hpp"

#include "cuda/on_device.hpp"
#include "imu2music/ops/mean_backward.hpp"

using namespace imu2music;

TEST_CASE("the mean along the last axis on the device and its gradient: every width around a warp") {
  Context* context = test::device();
  if (context == nullptr) return;
  Context cpu;
  for (const std::int64_t K : {1, 2, 3, 4, 5, 25, 31, 32, 33, 42, 63, 64, 65, 300})
    for (const std::int64_t rows : {0, 1, 7, 8, 9, 257}) {
      INFO("K " << K << ", rows " << rows);
      const auto x = test::numbers({rows, K}, 1), dy = test::numbers({rows}, 2);
      test::check_close(*context, mean(*context, on_device_of(*context, x)), mean(cpu, x));
      test::check_close(*context, mean_backward(*context, on_device_of(*context, dy), K),
                        mean_backward(cpu, dy, K));
    }
}

TEST_CASE("rows that begin anywhere, and a part of the rows, leave the others alone") {
  Context* context = test::device();
  if (context == nullptr) return;
  Context cpu;
  const std::int64_t rows = 11, K = 33;
  const auto x = test::numbers({1 + rows * K}, 1), before = test::numbers({rows}, 2);
  const auto there = on_device_of(*context, x).slice(1, rows * K);
  auto y = on_device_of(*context, before);
  context->table<kernels::MeanKernels<float>>().forward(context->kernel(), there.data(), y.data(), 3, 8, K);
  auto wanted = before.clone();
  const auto all = mean(cpu, x.slice(1, rows * K).reshape({rows, K}));
  std::copy_n(all.data() + 3, 5, wanted.data() + 3);
  test::check_close(*context, y, wanted);
}
