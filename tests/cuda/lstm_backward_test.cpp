// kernels/cuda/lstm_backward.cuh beside the CPU.
#include "imu2music/ops/lstm_backward.hpp"

#include "cuda/on_device.hpp"

using namespace imu2music;

TEST_CASE("the gradient of an LSTM step on the device: every width, each gradient given or left out") {
  Context* context = test::device();
  if (context == nullptr) return;
  Context cpu;
  for (const std::int64_t H : {1, 2, 31, 32, 33, 64, 255, 256, 257})
    for (const std::int64_t B : {1, 3})
      for (const int given : {1, 2, 3}) {
        INFO("H " << H << ", B " << B << ", gradients " << given);
        const auto gates_x = test::numbers({B, 4 * H}, 1), gates_h = test::numbers({B, 4 * H}, 2),
                   c = test::numbers({B, H}, 3);
        const auto dh = given & 1 ? test::numbers({B, H}, 4) : Tensor<float>(),
                   dc = given & 2 ? test::numbers({B, H}, 5) : Tensor<float>();
        const auto got = lstm_cell_backward(*context, on_device_of(*context, gates_x),
                                            on_device_of(*context, gates_h), on_device_of(*context, c),
                                            on_device_of(*context, dh), on_device_of(*context, dc)),
                   wanted = lstm_cell_backward(cpu, gates_x, gates_h, c, dh, dc);
        test::check_close(*context, got.dgates, wanted.dgates);
        test::check_close(*context, got.dc, wanted.dc);
      }
}
