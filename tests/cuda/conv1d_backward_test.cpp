// The gradients of convolutions along frames on the device (kernels/cuda/linear_backward.cuh,
// conv1d_layout.cuh) beside the CPU.
#include "imu2music/ops/conv1d_backward.hpp"

#include "cuda/on_device.hpp"

using namespace imu2music;

namespace {

void check_gradients(Context& context, const Shape& shape, std::int64_t O, std::int64_t kernel,
                     const Conv1dOptions& options, double tolerance = 1e-5) {
  INFO(shape.to_string() << " by " << O << " of " << kernel << ", stride " << options.stride << ", dilation "
                         << options.dilation << ", padding " << options.pad_left);
  Context cpu;
  const std::int64_t L = shape[1],
                     out = (L + options.pad_left - (kernel - 1) * options.dilation - 1) / options.stride + 1;
  const auto x = test::numbers(shape, 1), w = test::numbers({O, shape[2], kernel}, 2),
             dy = test::numbers({shape[0], out, O}, 3);
  Tensor<float> dw = test::numbers(w.shape(), 4), db = test::numbers({O}, 5);
  const auto x_there = on_device_of(context, x), w_there = on_device_of(context, w),
             dy_there = on_device_of(context, dy);
  Tensor<float> dw_there = on_device_of(context, dw), db_there = on_device_of(context, db);
  test::check_close(context, conv1d_backward_input(context, dy_there, w_there, L, options),
                    conv1d_backward_input(cpu, dy, w, L, options), tolerance);
  conv1d_backward_weight(cpu, dy, x, options, dw, db);
  conv1d_backward_weight(context, dy_there, x_there, options, dw_there, db_there);
  Tensor<float> none;
  conv1d_backward_weight(cpu, dy, x, options, dw, none);
  conv1d_backward_weight(context, dy_there, x_there, options, dw_there, none);
  conv1d_backward_weight(cpu, dy, Tensor<float>(), options, none, db);
  conv1d_backward_weight(context, dy_there, Tensor<float>(), options, none, db_there);
  test::check_close(context, dw_there, dw, tolerance);
  test::check_close(context, db_there, db, tolerance);
}

}  // namespace

TEST_CASE("gradients of convolutions along frames on the device: strides, dilations and padding") {
  Context* context = test::device();
  if (context == nullptr) return;
  int round = 0;
  for (const std::int64_t C : {1, 4, 9})
    for (const std::int64_t kernel : {1, 2, 5})
      for (const std::int64_t stride : {1, 2, 3})
        for (const std::int64_t dilation : {1, 4}) {
          const std::int64_t B = 1 + round % 3, causal = (kernel - 1) * dilation;
          const std::int64_t padding = round % 4 == 1 ? 0 : round % 4 == 2 ? causal + 2 : causal;
          for (const std::int64_t L : {causal + 1, causal + 24})
            check_gradients(*context, {B, L, C}, 1 + round * 7 % 70, kernel,
                            {.stride = stride, .dilation = dilation, .pad_left = padding});
          ++round;
        }
}

TEST_CASE("gradients of convolutions along frames on the device: shared sums, large tiles, large products") {
  Context* context = test::device();
  if (context == nullptr) return;
  check_gradients(*context, {3, 300, 10}, 33, 5, {.stride = 1, .dilation = 2, .pad_left = 8}, 5e-5);
  check_gradients(*context, {2, 3, 7 * 64 + 4}, 11 * 128, 3, {.stride = 1, .dilation = 1, .pad_left = 2},
                  5e-5);
  check_gradients(*context, {2, 130, 256}, 256, 1, {}, 5e-5);
}
