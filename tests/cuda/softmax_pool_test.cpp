// kernels/cuda/softmax_pool.cuh and softmax_pool_backward.cuh beside the CPU.
#include "imu2music/ops/softmax_pool.hpp"

#include "cuda/on_device.hpp"
#include "imu2music/ops/softmax_pool_backward.hpp"

using namespace imu2music;

TEST_CASE("the softmax-weighted mean on the device and its gradient: few entries, many, and large scores") {
  Context* context = test::device();
  if (context == nullptr) return;
  Context cpu;
  for (const std::int64_t S : {1, 2, 6, 7, 8, 9, 20})
    for (const std::int64_t N : {1, 31, 32, 33, 255, 256, 257})
      for (const float size : {1.0f, 80.0f}) {
        INFO("S " << S << ", N " << N << ", scores to " << size);
        auto scores = test::numbers({S, N}, 1);
        for (float& score : scores.values()) score *= size;
        const auto v = test::numbers({S, N}, 2), dy = test::numbers({N}, 3);
        const auto scores_there = on_device_of(*context, scores), v_there = on_device_of(*context, v);
        const auto y = softmax_pool(cpu, scores, v), got = softmax_pool(*context, scores_there, v_there);
        test::check_close(*context, got, y);
        const auto gradients =
            softmax_pool_backward(*context, on_device_of(*context, dy), scores_there, v_there, got);
        const auto wanted = softmax_pool_backward(cpu, dy, scores, v, y);
        test::check_close(*context, gradients.dscores, wanted.dscores);
        test::check_close(*context, gradients.dv, wanted.dv);
      }
}
