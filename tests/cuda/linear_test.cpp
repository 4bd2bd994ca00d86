// kernels/cuda/linear.cuh beside the CPU.
#include "imu2music/ops/linear.hpp"

#include <initializer_list>
#include <vector>

#include "cuda/on_device.hpp"

using namespace imu2music;
using kernels::MatrixPrecision;

namespace {

// x on the device, `first` elements into a longer tensor, so that it need not be aligned.
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

struct Layer {
  std::int64_t M, N, K;
  bool bias = true;
  Activation activation = Activation::none;
  std::int64_t unaligned = 0;  // elements by which operands are off
};

void check_layer(Context& context, const Layer& l, WeightFormat format,
                 MatrixPrecision precision = MatrixPrecision::float32, double tolerance = 1e-5) {
  INFO("M " << l.M << ", N " << l.N << ", K " << l.K << ", bias " << l.bias << ", activation "
            << static_cast<int>(l.activation) << ", off by " << l.unaligned << ", format "
            << static_cast<int>(format) << ", precision " << static_cast<int>(precision));
  Context cpu;
  const auto x = test::numbers({l.M, l.K}, 1), w = test::numbers({l.N, l.K}, 2), b = test::numbers({l.N}, 3);
  const Tensor<float> bias = l.bias ? b : Tensor<float>();
  const bool bf16 = precision == MatrixPrecision::bf16;
  const auto wanted =
      linear(cpu, bf16 ? rounded(x) : x,
             pack_weight(cpu, w, bf16 && format == WeightFormat::plain ? WeightFormat::bf16 : format), bias,
             l.activation, 0.1f);
  const auto dx = there_from(context, x, l.unaligned), dw = there_from(context, w, l.unaligned),
             db = l.bias ? there_from(context, b, l.unaligned) : Tensor<float>();
  context.set_matrices(precision);
  const auto got = format == WeightFormat::plain && l.M % 2 == 1
                       ? linear(context, dx, dw, db, l.activation, 0.1f)
                       : linear(context, dx, pack_weight(context, dw, format), db, l.activation, 0.1f);
  context.set_matrices(MatrixPrecision::float32);
  test::check_close(context, got, wanted, tolerance);
}

constexpr std::initializer_list<WeightFormat> formats = {WeightFormat::plain, WeightFormat::bf16,
                                                         WeightFormat::int8};
const std::vector<Activation> activations = {Activation::none, Activation::relu, Activation::leaky_relu};

}  // namespace

TEST_CASE("dense layers on the device: few rows, every width around a warp's and a vector's, all formats") {
  Context* context = test::device();
  if (context == nullptr) return;
  std::size_t round = 0;
  for (const std::int64_t K : {1, 3, 4, 8, 15, 16, 17, 31, 32, 33, 64, 127, 128, 129, 256, 520, 1040})
    for (const std::int64_t N : {1, 7, 8, 9, 33})
      for (const WeightFormat format : formats) {
        const auto M = static_cast<std::int64_t>(1 + round % 8);
        check_layer(*context, {M, N, K, round % 3 != 0, activations[round / 2 % 3], round % 5 == 4 ? 1 : 0},
                    format);
        ++round;
      }
}

TEST_CASE("dense layers on the device: more rows, sizes around the tiles, all formats") {
  Context* context = test::device();
  if (context == nullptr) return;
  std::size_t round = 0;
  for (const std::int64_t M : {9, 63, 65})
    for (const std::int64_t N : {1, 4, 63, 64, 66})
      for (const std::int64_t K : {1, 15, 16, 17, 36})
        for (const WeightFormat format : formats) {
          check_layer(*context, {M, N, K, round % 3 != 0, activations[round / 2 % 3], round % 5 == 4 ? 1 : 0},
                      format);
          ++round;
        }
}

TEST_CASE("dense layers on the device: sums shared by blocks, tiles of both sizes, no k at all") {
  Context* context = test::device();
  if (context == nullptr) return;
  for (const WeightFormat format : formats) {
    check_layer(*context, {10, 12, 700, true, Activation::relu}, format);
    check_layer(*context, {70, 33, 257, true, Activation::leaky_relu, 1}, format);
  }
  check_layer(*context, {11 * 128 + 1, 12 * 128 - 3, 4, true, Activation::relu}, WeightFormat::plain);
  check_layer(*context, {11 * 128 + 1, 12 * 128 - 3, 3, false, Activation::none, 3}, WeightFormat::int8);
  check_layer(*context, {11 * 128, 12 * 128, 5, true, Activation::none}, WeightFormat::bf16);
  // What is never written shows: memory of the device is not set.
  const auto x = context->allocate<float>({20, 0}), w = context->allocate<float>({5, 0});
  const auto b = test::numbers({5}, 1);
  Tensor<float> wanted({20, 5});
  for (std::int64_t n = 0; n < 100; ++n) wanted[n] = b[n % 5];
  test::check_close(*context, linear(*context, x, w, on_device_of(*context, b)), wanted);
  CHECK(linear(*context, context->allocate<float>({0, 3}), context->allocate<float>({5, 3}), Tensor<float>())
            .size() == 0);
}

TEST_CASE("dense layers on the device: large products in every precision and format") {
  Context* context = test::device();
  if (context == nullptr) return;
  for (const WeightFormat format : formats) {
    check_layer(*context, {257, 256, 256, true, Activation::relu}, format);
    check_layer(*context, {256, 260, 259, format == WeightFormat::plain}, format, MatrixPrecision::tf32,
                1e-2);
    check_layer(*context, {256, 260, 259, true, Activation::leaky_relu}, format, MatrixPrecision::bf16);
  }
}

TEST_CASE("a weight packed on the device is what the CPU packs, in the order of its rows") {
  Context* context = test::device();
  if (context == nullptr) return;
  Context cpu;
  for (const std::int64_t K : {1, 31, 40})
    for (const std::int64_t N : {1, 31, 70}) {
      INFO("N " << N << ", K " << K);
      Tensor<float> w = test::numbers({N, K}, 5);
      for (std::int64_t k = 0; k < K; ++k) w[(N - 1) * K + k] = 0;
      const auto packed = pack_weight(*context, on_device_of(*context, w), WeightFormat::int8);
      const auto wanted = pack_weight(cpu, w, WeightFormat::int8);
      const auto scale = on_host(*context, packed.scale);
      const auto numbers = on_host(*context, packed.numbers.slice(0, N * K));  // nothing reads what is behind
      std::int64_t wrong = 0;
      for (std::int64_t n = 0; n < N; ++n) {
        wrong += scale[n] != wanted.scale[n];
        const std::int64_t panel = n / kernels::linear_panel * kernels::linear_panel;
        for (std::int64_t k = 0; k < K; ++k)
          wrong += numbers[n * K + k] !=
                   wanted.numbers[panel * K + k * kernels::linear_panel_width(N, panel) + n - panel];
      }
      CHECK(wrong == 0);
    }
}

TEST_CASE("dense layers on the device write the rows and columns asked for and nothing else") {
  Context* context = test::device();
  if (context == nullptr) return;
  Context cpu;
  const std::int64_t M = 90, N = 150, stride = 153;
  for (const std::int64_t K : {8, 300})
    for (const WeightFormat format : formats)
      for (const std::int64_t rows : {0, 5, 40, 80})
        for (const std::int64_t columns : {0, 64, 150}) {
          INFO("K " << K << ", format " << static_cast<int>(format) << ", rows " << rows << ", columns "
                    << columns);
          const auto x = test::numbers({M, K}, 1), w = test::numbers({N, K}, 2), b = test::numbers({N}, 3),
                     before = test::numbers({M, stride}, 4);
          const auto full = linear(cpu, x, pack_weight(cpu, w, format), b);
          const std::int64_t first_row = 7, first_column = columns == 64 ? 64 : 0;
          Tensor<float> wanted = before.clone();
          for (std::int64_t m = first_row; m < first_row + rows; ++m)
            for (std::int64_t n = first_column; n < first_column + columns; ++n)
              wanted[m * stride + n] = full[m * N + n];
          const auto x_there = on_device_of(*context, x), b_there = on_device_of(*context, b);
          const auto packed = pack_weight(*context, on_device_of(*context, w), format);
          Tensor<float> y = on_device_of(*context, before);
          kernels::LinearArguments<float> a;
          a.x = x_there.data();
          a.x_stride = K;
          a.W = packed.numbers.data();
          a.format = format;
          a.scale = packed.scale.data();
          a.b = b_there.data();
          a.y = y.data();
          a.y_stride = stride;
          a.K = K;
          a.N = N;
          context->table<kernels::LinearKernels<float>>().forward(
              context->kernel(), a, first_row, first_row + rows, first_column, first_column + columns);
          test::check_close(*context, y, wanted);
        }
}
