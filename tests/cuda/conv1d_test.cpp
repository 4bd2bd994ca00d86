// Convolutions along frames on the device (kernels/cuda/gemm.cuh, conv1d_layout.cuh) beside the CPU.
#include "imu2music/ops/conv1d.hpp"

#include <vector>

#include "cuda/on_device.hpp"

using namespace imu2music;

namespace {

void check_convolution(Context& context, const Shape& shape, std::int64_t O, std::int64_t kernel,
                       const Conv1dOptions& options, WeightFormat format = WeightFormat::plain,
                       bool biased = true) {
  INFO(shape.to_string() << " by " << O << " of " << kernel << ", stride " << options.stride << ", dilation "
                         << options.dilation << ", padding " << options.pad_left << ", format "
                         << static_cast<int>(format));
  Context cpu;
  const auto x = test::numbers(shape, 1), w = test::numbers({O, shape[2], kernel}, 2),
             b = test::numbers({O}, 3);
  const Tensor<float> bias = biased ? b : Tensor<float>();
  const auto x_there = on_device_of(context, x), w_there = on_device_of(context, w),
             bias_there = on_device_of(context, bias);
  test::check_close(
      context, conv1d(context, x_there, pack_conv1d_weight(context, w_there, format), bias_there, options),
      conv1d(cpu, x, pack_conv1d_weight(cpu, w, format), bias, options));
  if (format == WeightFormat::plain)
    test::check_close(context, conv1d(context, x_there, w_there, bias_there, options),
                      conv1d(cpu, x, w, bias, options));
}

}  // namespace

TEST_CASE("convolutions along frames on the device: strides, dilations, padding, all sequences at once") {
  Context* context = test::device();
  if (context == nullptr) return;
  const std::vector<Activation> activations = {Activation::none, Activation::relu, Activation::leaky_relu};
  const std::vector<WeightFormat> formats = {WeightFormat::plain, WeightFormat::bf16, WeightFormat::int8};
  std::size_t round = 0;
  for (const std::int64_t C : {1, 3, 4, 20})
    for (const std::int64_t kernel : {1, 2, 5})
      for (const std::int64_t stride : {1, 2, 3})
        for (const std::int64_t dilation : {1, 4}) {
          const std::int64_t B = static_cast<std::int64_t>(1 + round % 3), causal = (kernel - 1) * dilation;
          const Conv1dOptions options{.stride = stride,
                                      .dilation = dilation,
                                      .pad_left = round % 4 == 1   ? 0
                                                  : round % 4 == 2 ? causal + 2
                                                                   : causal,
                                      .activation = activations[round / 2 % 3],
                                      .slope = 0.2};
          for (const std::int64_t L : {causal + 1, causal + 24})
            check_convolution(*context, {B, L, C}, static_cast<std::int64_t>(1 + round * 7 % 70), kernel,
                              options, formats[round % 3], round % 5 != 0);
          ++round;
        }
}

TEST_CASE("convolutions along frames on the device: large tiles, shared sums, large products") {
  Context* context = test::device();
  if (context == nullptr) return;
  check_convolution(*context, {3, 40, 52}, 70, 5, {.stride = 1, .dilation = 2, .pad_left = 8});
  check_convolution(*context, {13, 140, 2}, 11 * 128 - 60, 3, {.stride = 1, .dilation = 3, .pad_left = 6});
  check_convolution(*context, {2, 130, 256}, 256, 1, {});
  check_convolution(*context, {1, 260, 64}, 256, 4, {.pad_left = 3});
}
