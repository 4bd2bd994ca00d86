// kernels/cuda/conv2d.cuh and conv2d_backward.cuh beside the CPU.
#include "imu2music/ops/conv2d.hpp"

#include <vector>

#include "cuda/on_device.hpp"
#include "imu2music/ops/conv2d_backward.hpp"

using namespace imu2music;

namespace {

struct Case {
  std::int64_t B, C, H, W, O, kernel_h, kernel_w;
  Conv2dOptions options;
};

// Shapes of the models' layers at small widths, every tile of channels, sizes around its borders, strides
// that leave a rest, padding wider than the kernel's half, kernels as large as the image, more taps than a
// step.
const std::vector<Case>& cases() {
  static const std::vector<Case> all = {
      {1, 1, 1, 1, 1, 1, 1, {}},
      {2, 1, 3, 30, 3, 3, 2, {}},
      {2, 3, 1, 29, 6, 1, 3, {}},
      {2, 1, 2, 50, 3, 2, 2, {}},
      {2, 3, 1, 49, 9, 1, 3, {.stride_h = 2, .stride_w = 2}},
      {1, 9, 1, 24, 27, 1, 2, {}},
      {2, 2, 9, 15, 1, 3, 3, {.pad_h = 1, .pad_w = 1}},
      {3, 4, 5, 11, 6, 3, 3, {.pad_h = 1, .pad_w = 1}},
      {1, 4, 6, 5, 4, 5, 5, {.pad_h = 2, .pad_w = 2}},
      {1, 12, 19, 5, 12, 9, 1, {.stride_h = 2, .pad_h = 4}},
      {1, 17, 3, 7, 40, 1, 1, {.stride_h = 2}},
      {2, 3, 4, 4, 8, 4, 4, {}},
      {1, 2, 3, 3, 9, 2, 3, {.stride_h = 3, .stride_w = 2, .pad_h = 3, .pad_w = 4}},
      {1, 5, 8, 8, 33, 3, 3, {.pad_h = 1, .pad_w = 1}},
      {1, 7, 5, 13, 65, 1, 1, {}},
      {5, 3, 7, 9, 5, 2, 2, {.stride_h = 2, .stride_w = 3, .pad_h = 1}},
  };
  return all;
}

std::string said(const Case& n) {
  return Shape{n.B, n.C, n.H, n.W}.to_string() + " by " + Shape{n.O, n.C, n.kernel_h, n.kernel_w}.to_string();
}

}  // namespace

TEST_CASE("cross-correlation on the device: the models' layers, every tile, strides and padding") {
  Context* context = test::device();
  if (context == nullptr) return;
  Context cpu;
  int round = 0;
  for (Case n : cases()) {
    const auto x = test::numbers({n.B, n.C, n.H, n.W}, 1),
               w = test::numbers({n.O, n.C, n.kernel_h, n.kernel_w}, 2), bias = test::numbers({n.O}, 3),
               scale = test::numbers({n.O}, 4), shift = test::numbers({n.O}, 5);
    const auto there = [&](const Tensor<float>& t) { return on_device_of(*context, t); };
    n.options.activation = std::vector{Activation::none, Activation::relu,
                                       Activation::leaky_relu}[static_cast<std::size_t>(round % 3)];
    n.options.slope = 0.01;
    const bool with_bias = round % 4 != 1, with_norm = round % 2 == 0;
    ++round;
    INFO(said(n) << ", bias " << with_bias << ", norm " << with_norm);
    const Tensor<float> none;
    const auto &b = with_bias ? bias : none, &s = with_norm ? scale : none, &h = with_norm ? shift : none;
    test::check_close(*context, conv2d(*context, there(x), there(w), there(b), there(s), there(h), n.options),
                      conv2d(cpu, x, w, b, s, h, n.options));
  }
}

TEST_CASE("the largest tile on the device, at the borders of its channels and pixels") {
  Context* context = test::device();
  if (context == nullptr) return;
  Context cpu;
  // Enough pixels for the tile to be taken; two taps.
  const auto x = test::numbers({3, 2, 131, 84}, 1), w = test::numbers({129, 2, 1, 1}, 2);
  test::check_close(*context, conv2d(*context, on_device_of(*context, x), on_device_of(*context, w), {}),
                    conv2d(cpu, x, w, Tensor<float>()));
}

TEST_CASE("a part of the planes, of elements that begin anywhere, leaves the others alone") {
  Context* context = test::device();
  if (context == nullptr) return;
  Context cpu;
  const std::int64_t B = 3, C = 2, H = 4, W = 7, O = 5;
  const auto x = test::numbers({1 + B * C * H * W}, 1), w = test::numbers({1 + O * C * 9}, 2),
             before = test::numbers({B, O, H, W}, 3);
  const auto x_there = on_device_of(*context, x).slice(1, B * C * H * W),
             w_there = on_device_of(*context, w).slice(1, O * C * 9);
  auto y = on_device_of(*context, before);
  kernels::Conv2dArguments<float> arguments;
  arguments.x = x_there.data(), arguments.w = w_there.data(), arguments.y = y.data();
  arguments.C = C, arguments.H = arguments.out_h = H, arguments.W = arguments.out_w = W;
  arguments.O = O, arguments.kernel_h = arguments.kernel_w = 3, arguments.pad_h = arguments.pad_w = 1;
  const auto all =
      conv2d(cpu, x.slice(1, B * C * H * W).reshape({B, C, H, W}),
             w.slice(1, O * C * 9).reshape({O, C, 3, 3}), Tensor<float>(), {.pad_h = 1, .pad_w = 1});
  const auto& table = context->table<kernels::Conv2dKernels<float>>();
  auto wanted = before.clone();
  for (const auto& [first, last] : {std::pair<std::int64_t, std::int64_t>{7, 13}, {2, 2}, {0, 1}, {14, 15}}) {
    table.forward(context->kernel(), arguments, first, last);
    std::copy_n(all.data() + first * H * W, (last - first) * H * W, wanted.data() + first * H * W);
    test::check_close(*context, y, wanted);
  }
}

TEST_CASE("the gradients of cross-correlation on the device; those of the weights are added") {
  Context* context = test::device();
  if (context == nullptr) return;
  Context cpu;
  for (const Case& n : cases()) {
    INFO(said(n));
    const auto x = test::numbers({n.B, n.C, n.H, n.W}, 1),
               w = test::numbers({n.O, n.C, n.kernel_h, n.kernel_w}, 2);
    const auto dy = test::numbers(conv2d(cpu, x, w, Tensor<float>(), n.options).shape(), 3);
    const auto x_there = on_device_of(*context, x), dy_there = on_device_of(*context, dy);
    test::check_close(
        *context, conv2d_backward_input(*context, dy_there, on_device_of(*context, w), n.H, n.W, n.options),
        conv2d_backward_input(cpu, dy, w, n.H, n.W, n.options));
    auto dw = test::numbers(w.shape(), 4), db = test::numbers({n.O}, 5);
    auto dw_there = on_device_of(*context, dw), db_there = on_device_of(*context, db);
    conv2d_backward_weight(*context, dy_there, x_there, n.options, dw_there, db_there);
    conv2d_backward_weight(cpu, dy, x, n.options, dw, db);
    test::check_close(*context, dw_there, dw, 2e-5);
    test::check_close(*context, db_there, db, 2e-5);
    Tensor<float> none;
    conv2d_backward_weight(*context, dy_there, Tensor<float>(), n.options, none, db_there);
    conv2d_backward_weight(cpu, dy, Tensor<float>(), n.options, none, db);
    test::check_close(*context, db_there, db, 2e-5);
  }
}

TEST_CASE("the largest tile of a weight's gradient, at the borders of its channels and taps") {
  Context* context = test::device();
  if (context == nullptr) return;
  Context cpu;
  const Conv2dOptions options{.pad_h = 1, .pad_w = 1};
  const auto x = test::numbers({2, 57, 5, 4}, 1), dy = test::numbers({2, 130, 5, 4}, 2);
  auto dw = test::numbers({130, 57, 3, 3}, 3), db = test::numbers({130}, 4);
  auto dw_there = on_device_of(*context, dw), db_there = on_device_of(*context, db);
  conv2d_backward_weight(cpu, dy, x, options, dw, db);
  conv2d_backward_weight(*context, on_device_of(*context, dy), on_device_of(*context, x), options, dw_there,
                         db_there);
  test::check_close(*context, dw_there, dw, 2e-5);
  test::check_close(*context, db_there, db, 2e-5);
}

TEST_CASE("a weight's gradient over many pixels: parts that do not fill the last, the same bits every time") {
  Context* context = test::device();
  if (context == nullptr) return;
  Context cpu;
  const Conv2dOptions options{.pad_h = 1, .pad_w = 1};
  const auto x = test::numbers({5, 3, 13, 17}, 1), dy = test::numbers({5, 4, 13, 17}, 2);
  const auto x_there = on_device_of(*context, x), dy_there = on_device_of(*context, dy);
  Tensor<float> dw({4, 3, 3, 3}), db({4});
  auto dw_there = on_device_of(*context, dw), db_there = on_device_of(*context, db);
  auto again = on_device_of(*context, dw), db_again = on_device_of(*context, db);
  conv2d_backward_weight(cpu, dy, x, options, dw, db);
  conv2d_backward_weight(*context, dy_there, x_there, options, dw_there, db_there);
  conv2d_backward_weight(*context, dy_there, x_there, options, again, db_again);
  test::check_close(*context, dw_there, dw, 2e-5);
  test::check_close(*context, db_there, db, 2e-5);
  test::check_close(*context, again, on_host(*context, dw_there), 0);
}
