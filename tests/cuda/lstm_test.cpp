// kernels/cuda/lstm.cuh beside the CPU.
#include "imu2music/ops/lstm.hpp"

#include "cuda/on_device.hpp"

using namespace imu2music;

TEST_CASE("an LSTM step on the device: every width around a warp and a block, the cell in place or not") {
  Context* context = test::device();
  if (context == nullptr) return;
  Context cpu;
  for (const std::int64_t H : {1, 2, 31, 32, 33, 64, 100, 255, 256, 257})
    for (const std::int64_t B : {1, 2, 5}) {
      INFO("H " << H << ", B " << B);
      const auto gates_x = test::numbers({B, 4 * H}, 1), gates_h = test::numbers({B, 4 * H}, 2);
      const auto x = on_device_of(*context, gates_x), h = on_device_of(*context, gates_h);
      auto c = test::numbers({B, H}, 3), h_out = test::numbers({B, H}, 4);
      auto c_there = on_device_of(*context, c), h_there = on_device_of(*context, h_out);
      const auto got = lstm_cell(*context, x, h, c_there), wanted = lstm_cell(cpu, gates_x, gates_h, c);
      test::check_close(*context, got.h, wanted.h);
      test::check_close(*context, got.c, wanted.c);
      for (int step = 0; step < 3; ++step) {
        lstm_step(*context, x, h, h_there, c_there);
        lstm_step(cpu, gates_x, gates_h, h_out, c);
      }
      test::check_close(*context, h_there, h_out);
      test::check_close(*context, c_there, c);
    }
}

TEST_CASE("gates far from zero saturate on the device as on the CPU") {
  Context* context = test::device();
  if (context == nullptr) return;
  Context cpu;
  const std::int64_t H = 9;
  Tensor<float> gates({1, 4 * H}), none({1, 4 * H}), c({1, H});
  const float values[H] = {-1000, -100, -30, -1, 0, 1, 30, 100, 1000};
  for (std::int64_t n = 0; n < 4 * H; ++n) gates[n] = values[(n + n / H) % H];
  for (std::int64_t n = 0; n < H; ++n) c[n] = values[n];
  const auto got = lstm_cell(*context, on_device_of(*context, gates), on_device_of(*context, none),
                             on_device_of(*context, c)),
             wanted = lstm_cell(cpu, gates, none, c);
  test::check_close(*context, got.h, wanted.h);
  test::check_close(*context, got.c, wanted.c);
}
