#include "cpu/conv2d.hpp"

#include <limits>

#include "columns.hpp"

using namespace imu2music;
using kernels::Activation;
using kernels::Conv2dArguments;
using kernels::Conv2dKernels;
using kernels::Isa;

namespace {

const kernels::Context context;

std::size_t at(std::int64_t index) { return static_cast<std::size_t>(index); }

template <class T>
struct Problem {
  std::int64_t B;
  Conv2dArguments<T> shape;
  std::vector<T> x, w, bias, scale, shift;
  Problem(std::int64_t B_, std::int64_t C, std::int64_t H, std::int64_t W, std::int64_t O,
          std::int64_t kernel_h, std::int64_t kernel_w, std::int64_t stride_h, std::int64_t stride_w,
          std::int64_t pad_h, std::int64_t pad_w)
      : B(B_) {
    shape.C = C;
    shape.H = H;
    shape.W = W;
    shape.O = O;
    shape.kernel_h = kernel_h;
    shape.kernel_w = kernel_w;
    shape.stride_h = stride_h;
    shape.stride_w = stride_w;
    shape.pad_h = pad_h;
    shape.pad_w = pad_w;
    shape.out_h = (H + 2 * pad_h - kernel_h) / stride_h + 1;
    shape.out_w = (W + 2 * pad_w - kernel_w) / stride_w + 1;
    shape.slope = T(0.125);
    const auto seed = static_cast<std::uint64_t>(W + 1000 * H + 7 * C + kernel_w);
    x = test::some_numbers<T>(B * C * H * W, seed);
    w = test::some_numbers<T>(O * C * kernel_h * kernel_w, seed + 1);
    bias = test::some_numbers<T>(O, seed + 2);
    scale = test::some_numbers<T>(O, seed + 3);
    shift = test::some_numbers<T>(O, seed + 4);
  }
  std::int64_t outputs() const { return B * shape.O * shape.out_h * shape.out_w; }
  Conv2dArguments<T> arguments(T* y, bool with_bias, bool normalised, Activation activation) const {
    Conv2dArguments<T> a = shape;
    a.x = x.data();
    a.w = w.data();
    a.bias = with_bias ? bias.data() : nullptr;
    a.scale = normalised ? scale.data() : nullptr;
    a.shift = normalised ? shift.data() : nullptr;
    a.y = y;
    a.activation = activation;
    return a;
  }
  // The definition, in double.
  std::vector<double> expected(bool with_bias, bool normalised, Activation activation) const {
    std::vector<double> y;
    const auto& s = shape;
    for (std::int64_t b = 0; b < B; ++b)
      for (std::int64_t o = 0; o < s.O; ++o)
        for (std::int64_t i = 0; i < s.out_h; ++i)
          for (std::int64_t j = 0; j < s.out_w; ++j) {
            double sum = with_bias ? double(bias[at(o)]) : 0;
            for (std::int64_t c = 0; c < s.C; ++c)
              for (std::int64_t u = 0; u < s.kernel_h; ++u)
                for (std::int64_t v = 0; v < s.kernel_w; ++v) {
                  const std::int64_t row = i * s.stride_h + u - s.pad_h,
                                     column = j * s.stride_w + v - s.pad_w;
                  if (row < 0 || row >= s.H || column < 0 || column >= s.W) continue;
                  sum += double(w[at(((o * s.C + c) * s.kernel_h + u) * s.kernel_w + v)]) *
                         double(x[at(((b * s.C + c) * s.H + row) * s.W + column)]);
                }
            if (normalised) sum = sum * double(scale[at(o)]) + double(shift[at(o)]);
            if (activation == Activation::relu && sum < 0) sum = 0;
            if (activation == Activation::leaky_relu && sum < 0) sum *= 0.125;
            y.push_back(sum);
          }
    return y;
  }
};

template <class T>
void against_the_definition(Isa isa, const Problem<T>& problem, double tolerance) {
  auto table = kernels::make_table<Conv2dKernels<T>>(isa);
  const auto& s = problem.shape;
  for (int variant = 0; variant < 4; ++variant) {
    const bool with_bias = variant % 2 == 1, normalised = variant >= 2;
    const Activation activation = variant == 0   ? Activation::none
                                  : variant == 3 ? Activation::leaky_relu
                                                 : Activation::relu;
    const std::vector<double> expected = problem.expected(with_bias, normalised, activation);
    REQUIRE(static_cast<std::int64_t>(expected.size()) == problem.outputs());
    test::GuardedBuffer<T> y(problem.outputs(), variant % 2);
    table.forward(context, problem.arguments(y.data(), with_bias, normalised, activation), 0,
                  problem.B * s.O);
    INFO(name_of(isa) << ", C " << s.C << ", H " << s.H << ", W " << s.W << ", O " << s.O << ", kernel "
                      << s.kernel_h << " x " << s.kernel_w << ", stride " << s.stride_h << " x " << s.stride_w
                      << ", pad " << s.pad_h << " x " << s.pad_w << ", variant " << variant);
    CHECK(test::max_difference(y.data(), expected.data(), problem.outputs()) < tolerance);
    CHECK(y.guards_intact());
  }
}

// Shapes around the vectors' widths: every kernel 1..5 x 1..5 at some width, every stride and padding.
template <class T>
void at_many_shapes(Isa isa, double tolerance) {
  for (std::int64_t W = 1; W <= 40; ++W)
    for (std::int64_t stride : {1, 2, 3})
      for (std::int64_t pad : {0, 1, 2}) {
        const std::int64_t kernel_w = 1 + (W + stride) % 5, kernel_h = 1 + W % 3;
        if (W + 2 * pad < kernel_w) continue;
        against_the_definition(
            isa, Problem<T>(1, 2, 4, W, 1 + W % 6, kernel_h, kernel_w, 1 + W % 2, stride, pad, pad),
            tolerance);
      }
  for (std::int64_t kernel_h = 1; kernel_h <= 5; ++kernel_h)
    for (std::int64_t kernel_w = 1; kernel_w <= 5; ++kernel_w)
      for (std::int64_t stride : {1, 2})
        against_the_definition(isa, Problem<T>(2, 3, 6, 50, 5, kernel_h, kernel_w, 1, stride, 2, 2),
                               tolerance);
  for (std::int64_t W : {63, 64, 65, 70, 127, 128, 129, 150, 300})
    for (std::int64_t stride : {1, 2, 4})
      against_the_definition(isa, Problem<T>(1, 2, 2, W, 9, 2, 3, 1, stride, 0, 1), tolerance);
  // More channels than are laid out at once, over skeletons and plain rows, and a row too long for that.
  for (std::int64_t H : {1, 3, 11})
    for (std::int64_t O : {1, 6})
      against_the_definition(isa, Problem<T>(2, 60, H, 25, O, 9, 1, 1, 1, 4, 0), tolerance);
  for (std::int64_t stride : {2, 3, 5})
    for (std::int64_t kernel : {1, 2, 9})
      for (std::int64_t pad : {0, 1, 4})
        against_the_definition(isa, Problem<T>(1, 30, 11, 25, 6, kernel, 1, stride, 1, pad, 0), tolerance);
  against_the_definition(isa, Problem<T>(1, 200, 7, 25, 5, 1, 1, 1, 1, 0, 0), tolerance);
  against_the_definition(isa, Problem<T>(1, 30, 1, 150, 7, 1, 5, 1, 1, 0, 2), tolerance);
  against_the_definition(isa, Problem<T>(1, 2, 3, 1600, 2, 5, 1, 1, 1, 2, 0), tolerance);
  // A kernel of width 1 along the height, as the graph convolution over time has, and 1 x 1.
  against_the_definition(isa, Problem<T>(2, 3, 20, 18, 6, 9, 1, 1, 1, 4, 0), tolerance);
  against_the_definition(isa, Problem<T>(2, 3, 20, 18, 6, 9, 1, 2, 1, 4, 0), tolerance);
  against_the_definition(isa, Problem<T>(2, 7, 5, 18, 11, 1, 1, 1, 1, 0, 0), tolerance);
  // Padding wider than the input.
  against_the_definition(isa, Problem<T>(1, 1, 1, 1, 2, 5, 5, 1, 1, 4, 4), tolerance);
  against_the_definition(isa, Problem<T>(1, 1, 2, 2, 2, 3, 3, 2, 2, 7, 40), tolerance);
  // Layers of the IMU encoder: per sensor, then over both sensors.
  against_the_definition(isa, Problem<T>(2, 1, 3, 150, 3, 3, 2, 1, 1, 0, 0), tolerance);
  against_the_definition(isa, Problem<T>(2, 3, 1, 149, 6, 1, 3, 1, 1, 0, 0), tolerance);
  against_the_definition(isa, Problem<T>(1, 1, 2, 1314, 3, 2, 2, 1, 1, 0, 0), tolerance);
  against_the_definition(isa, Problem<T>(1, 3, 1, 1313, 9, 1, 3, 2, 2, 0, 0), tolerance);
}

}  // namespace

TEST_CASE("conv2d: the scalar column in double is the definition") {
  at_many_shapes<double>(Isa::scalar, 1e-13);
}

TEST_CASE("conv2d: every column is the definition at every shape around the vectors' widths") {
  for (Isa isa : test::all_columns()) at_many_shapes<float>(isa, 1e-5);
}

TEST_CASE("conv2d: hand-computed") {
  // [1 2 3; 4 5 6] with [1 0; 0 -1]: 1 - 5 = -4, 2 - 6 = -4.
  const double x[] = {1, 2, 3, 4, 5, 6}, w[] = {1, 0, 0, -1}, bias[] = {1};
  double y[2];
  Conv2dArguments<double> a;
  a.x = x;
  a.w = w;
  a.bias = bias;
  a.y = y;
  a.C = a.O = 1;
  a.H = 2;
  a.W = 3;
  a.kernel_h = a.kernel_w = 2;
  a.out_h = 1;
  a.out_w = 2;
  kernels::make_table<Conv2dKernels<double>>(Isa::scalar).forward(context, a, 0, 1);
  CHECK(y[0] == -3);
  CHECK(y[1] == -3);
}

TEST_CASE("conv2d: a plane has the same bits alone as among others, and no other plane is written") {
  for (Isa isa : test::all_columns()) {
    auto table = kernels::make_table<Conv2dKernels<float>>(isa);
    for (std::int64_t stride : {1, 2, 3})
      for (std::int64_t kernel_w : {1, 3}) {
        const Problem<float> problem(3, 4, 5, 41, 7, 3, kernel_w, 1, stride, 1, kernel_w / 2);
        const std::int64_t planes = 3 * 7, plane = problem.outputs() / planes;
        std::vector<float> whole(at(problem.outputs()), 77.0f);
        table.forward(context, problem.arguments(whole.data(), true, true, Activation::relu), 0, planes);
        for (std::int64_t step : {1, 2, 5, 8}) {
          std::vector<float> split(at(problem.outputs()), 77.0f);
          const auto a = problem.arguments(split.data(), true, true, Activation::relu);
          for (std::int64_t p = 0; p < planes; p += step) {
            table.forward(context, a, p, std::min(planes, p + step));
            if (p + step < planes) CHECK(split[at((p + step) * plane)] == 77);
          }
          INFO(name_of(isa) << ", stride " << stride << ", kernel " << kernel_w << ", step " << step);
          CHECK(test::same_bits(whole.data(), split.data(), problem.outputs()));
        }
      }
  }
}

TEST_CASE("conv2d: nothing outside the operands is read or written") {
  for (Isa isa : test::all_columns()) {
    auto table = kernels::make_table<Conv2dKernels<float>>(isa);
    for (test::Edge edge : {test::Edge::before, test::Edge::after})
      for (std::int64_t W = 3; W <= 40; ++W)
        for (std::int64_t stride : {1, 2, 3})
          for (std::int64_t pad : {0, 2}) {
            const std::int64_t kernel_w = 1 + W % 3;
            const Problem<float> problem(1, 2, 3, W, 5, 2, kernel_w, 1, stride, pad, pad);
            test::EdgeBuffer<float> x(problem.x, edge), w(problem.w, edge), bias(problem.bias, edge);
            test::EdgeBuffer<float> scale(problem.scale, edge), shift(problem.shift, edge);
            test::EdgeBuffer<float> y(problem.outputs(), edge);
            auto a = problem.arguments(y.data(), true, true, Activation::none);
            a.x = x.data();
            a.w = w.data();
            a.bias = bias.data();
            a.scale = scale.data();
            a.shift = shift.data();
            table.forward(context, a, 0, 5);
            INFO(name_of(isa) << ", W = " << W << ", stride " << stride << ", pad " << pad);
            const std::vector<double> expected = problem.expected(true, true, Activation::none);
            CHECK(test::max_difference(y.data(), expected.data(), problem.outputs()) < 1e-5);
          }
  }
}

TEST_CASE("conv2d: NaN stays NaN through every activation") {
  for (Isa isa : test::all_columns())
    for (Activation activation : {Activation::none, Activation::relu, Activation::leaky_relu}) {
      Problem<float> problem(1, 1, 1, 40, 5, 1, 3, 1, 1, 0, 1);
      problem.x[20] = std::numeric_limits<float>::quiet_NaN();
      std::vector<float> y(at(problem.outputs()));
      kernels::make_table<Conv2dKernels<float>>(isa).forward(
          context, problem.arguments(y.data(), true, true, activation), 0, 5);
      for (std::int64_t o = 0; o < 5; ++o) {
        CHECK(std::isnan(y[at(o * 40 + 19)]));
        CHECK(std::isnan(y[at(o * 40 + 21)]));
        CHECK(!std::isnan(y[at(o * 40 + 22)]));
      }
    }
}

TEST_CASE("conv2d: without channels, or with a kernel of nothing, an output is its bias") {
  struct Sizes {
    std::int64_t C, H, W, O, kernel_h, kernel_w;
  };
  for (const Sizes& s :
       {Sizes{0, 1, 8, 2, 1, 3}, {0, 8, 1, 2, 3, 1}, {1, 4, 64, 1, 0, 1}, {1, 4, 100, 1, 0, 1}})
    for (Isa isa : test::all_columns()) {
      INFO(std::string(name_of(isa)) << ", C " << s.C << ", kernel " << s.kernel_h << " x " << s.kernel_w);
      const Problem<float> problem(1, s.C, s.H, s.W, s.O, s.kernel_h, s.kernel_w, 1, 1, 0, 0);
      std::vector<float> y(at(problem.outputs()), 12345);
      kernels::make_table<Conv2dKernels<float>>(isa).forward(
          context, problem.arguments(y.data(), true, false, Activation::none), 0, s.O);
      for (std::int64_t i = 0; i < problem.outputs(); ++i)
        CHECK(y[at(i)] == problem.bias[at(i / (problem.outputs() / s.O))]);
    }
}
