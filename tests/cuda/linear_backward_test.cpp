// kernels/cuda/linear_backward.cuh beside the CPU.
#include "imu2music/ops/linear_backward.hpp"

#include <algorithm>

#include "cuda/on_device.hpp"
#include "imu2music/ops/linear.hpp"

using namespace imu2music;
using kernels::MatrixPrecision;

namespace {

Tensor<float> there_from(Context& context, const Tensor<float>& x, std::int64_t first) {
  const Tensor<float> longer = context.allocate<float>({first + x.size()});
  Tensor<float> part = longer.slice(first, x.size()).reshape(x.shape()), whole = on_device_of(context, x);
  copy(context, whole, part);
  return part;
}

// Rounded to the nearest bfloat16, as products of that precision take their operands.
Tensor<float> rounded(const Tensor<float>& x) {
  Tensor<float> y(x.shape());
  for (std::int64_t n = 0; n < x.size(); ++n)
    y[n] = kernels::scalar::from_bfloat16(kernels::scalar::nearest_bfloat16(x[n]));
  return y;
}

void check_gradients(Context& context, std::int64_t M, std::int64_t N, std::int64_t K,
                     std::int64_t unaligned = 0, double tolerance = 1e-5, bool bf16 = false) {
  INFO("M " << M << ", N " << N << ", K " << K << ", off by " << unaligned);
  Context cpu;
  const auto dy = test::numbers({M, N}, 1), x = test::numbers({M, K}, 2), w = test::numbers({N, K}, 3);
  Tensor<float> dw = test::numbers({N, K}, 4), db = test::numbers({N}, 5);
  const auto there = [&](const Tensor<float>& t) { return there_from(context, t, unaligned); };
  const auto dy_there = there(dy), x_there = there(x);
  Tensor<float> dw_there = there(dw), db_there = there(db);
  test::check_close(
      context, linear_backward_input(context, dy_there, there(w)),
      bf16 ? linear_backward_input(cpu, rounded(dy), rounded(w)) : linear_backward_input(cpu, dy, w),
      tolerance);
  for (int twice = 0; twice < 2; ++twice) {
    Tensor<float> none;
    linear_backward_weight(cpu, bf16 ? rounded(dy) : dy, bf16 ? rounded(x) : x, dw, none);
    linear_backward_weight(cpu, dy, Tensor<float>(), none, db);
    linear_backward_weight(context, dy_there, x_there, dw_there, db_there);
  }
  test::check_close(context, dw_there, dw, tolerance);
  test::check_close(context, db_there, db, tolerance);
}

}  // namespace

TEST_CASE("gradients of dense layers on the device: sizes around the tiles") {
  Context* context = test::device();
  if (context == nullptr) return;
  int round = 0;
  for (const std::int64_t M : {1, 3, 16, 17, 65})
    for (const std::int64_t N : {1, 15, 16, 33, 64, 65})
      for (const std::int64_t K : {1, 4, 17, 63, 68})
        check_gradients(*context, M, N, K, round++ % 4 == 3 ? 1 : 0);
}

TEST_CASE("gradients of dense layers on the device: many rows, whose sums blocks share") {
  Context* context = test::device();
  if (context == nullptr) return;
  check_gradients(*context, 900, 20, 7, 0, 2e-5);
  check_gradients(*context, 1025, 5, 36, 2, 2e-5);
  check_gradients(*context, 17, 300, 4);
  check_gradients(*context, 5, 11 * 128 + 4, 12 * 128);
  check_gradients(*context, 1, 3, 11 * 128);
  check_gradients(*context, 11 * 128 + 1, 4, 12 * 128 - 3, 1, 5e-5);
}

TEST_CASE(
    "gradients of dense layers on the device: large products in every precision, the same bits each time") {
  Context* context = test::device();
  if (context == nullptr) return;
  check_gradients(*context, 257, 256, 258, 0, 2e-5);
  context->set_matrices(MatrixPrecision::tf32);
  check_gradients(*context, 300, 256, 256, 0, 2e-2);
  context->set_matrices(MatrixPrecision::bf16);
  check_gradients(*context, 300, 256, 256, 0, 5e-5, true);
  context->set_matrices(MatrixPrecision::float32);

  const auto dy = on_device_of(*context, test::numbers({700, 20}, 1)),
             x = on_device_of(*context, test::numbers({700, 33}, 2));
  Tensor<float> first;
  for (int n = 0; n < 2; ++n) {
    Tensor<float> dw = context->allocate<float>({20, 33}), db;
    zero(*context, dw);
    linear_backward_weight(*context, dy, x, dw, db);
    const auto here = on_host(*context, dw);
    if (n == 0) first = here;
    CHECK(std::equal(here.values().begin(), here.values().end(), first.values().begin()));
  }
}

TEST_CASE("gradients of dense layers on the device: one of the two, and no rows") {
  Context* context = test::device();
  if (context == nullptr) return;
  Context cpu;
  const auto dy = test::numbers({2, 40, 9}, 1), x = test::numbers({2, 40, 5}, 2);
  Tensor<float> none, dw = test::numbers({9, 5}, 3), db = test::numbers({9}, 4);
  Tensor<float> dw_there = on_device_of(*context, dw), db_there = on_device_of(*context, db);
  const auto dy_there = on_device_of(*context, dy);
  linear_backward_weight(cpu, dy, x, dw, none);
  linear_backward_weight(*context, dy_there, on_device_of(*context, x), dw_there, none);
  linear_backward_weight(cpu, dy, Tensor<float>(), none, db);
  linear_backward_weight(*context, dy_there, Tensor<float>(), none, db_there);
  linear_backward_weight(*context, context->allocate<float>({0, 9}), context->allocate<float>({0, 5}),
                         dw_there, db_there);
  test::check_close(*context, dw_there, dw);
  test::check_close(*context, db_there, db);
  const auto w = on_device_of(*context, test::numbers({9, 5}, 5));
  CHECK(linear_backward_input(*context, context->allocate<float>({0, 9}), w).size() == 0);
}

TEST_CASE("gradients of dense layers on the device: the rows asked for and nothing else") {
  Context* context = test::device();
  if (context == nullptr) return;
  Context cpu;
  using Kernels = kernels::LinearBackwardKernels<float>;
  const std::int64_t M = 300, N = 90, K = 37, stride = 40;
  const auto dy = test::numbers({M, N}, 1), x = test::numbers({M, K}, 2), w = test::numbers({N, K}, 3);
  const auto dy_there = on_device_of(*context, dy), x_there = on_device_of(*context, x),
             w_there = on_device_of(*context, w);
  for (const std::int64_t rows : {0, 1, 20, 65}) {
    INFO("rows " << rows);
    const std::int64_t first = 5;
    Tensor<float> dx = test::numbers({M, stride}, 4), dw = test::numbers({N, K}, 5),
                  db = test::numbers({N}, 6);
    Tensor<float> dx_there = on_device_of(*context, dx), dw_there = on_device_of(*context, dw),
                  db_there = on_device_of(*context, db);
    kernels::LinearInputGradientArguments<float> input;
    input.dy_stride = N;
    input.dx_stride = stride;
    input.N = N;
    input.K = K;
    input.dy = dy.data(), input.W = w.data(), input.dx = dx.data();
    cpu.table<Kernels>().input(cpu.kernel(), input, first, first + rows);
    input.dy = dy_there.data(), input.W = w_there.data(), input.dx = dx_there.data();
    context->table<Kernels>().input(context->kernel(), input, first, first + rows);
    test::check_close(*context, dx_there, dx);
    kernels::LinearWeightGradientArguments<float> weight;
    weight.dy_stride = N;
    weight.x_stride = K;
    weight.M = M;
    weight.K = K;
    weight.dy = dy.data(), weight.x = x.data(), weight.dW = dw.data(), weight.db = db.data();
    cpu.table<Kernels>().weight(cpu.kernel(), weight, first, first + rows);
    weight.dy = dy_there.data(), weight.x = x_there.data(), weight.dW = dw_there.data(),
    weight.db = db_there.data();
    context->table<Kernels>().weight(context->kernel(), weight, first, first + rows);
    test::check_close(*context, dw_there, dw);
    test::check_close(*context, db_there, db);
  }
}
