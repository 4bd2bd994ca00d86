#include "imu2music/ops/conv1d.hpp"

#include <doctest/doctest.h>

#include "random.hpp"

using namespace imu2music;

namespace {

// The definition, in double.
double oracle(const Tensor<double>& x, const Tensor<double>& w, const Tensor<double>& bias, std::int64_t b,
              std::int64_t o, std::int64_t j, const Conv1dOptions& options) {
  double sum = bias[o];
  for (std::int64_t c = 0; c < x.dim(2); ++c)
    for (std::int64_t u = 0; u < w.dim(2); ++u) {
      const std::int64_t at = j * options.stride + u * options.dilation - options.pad_left;
      if (at >= 0 && at < x.dim(1))
        sum += w[(o * x.dim(2) + c) * w.dim(2) + u] * x[(b * x.dim(1) + at) * x.dim(2) + c];
    }
  return sum;
}

}  // namespace

TEST_CASE("conv1d is its definition, in double and float, for every stride, dilation and padding") {
  Context context(2);
  for (std::int64_t kernel : {1, 2, 5})
    for (std::int64_t stride : {1, 2, 3})
      for (std::int64_t dilation : {1, 4})
        for (std::int64_t length : {1, 17, 40}) {
          const Conv1dOptions options{
              .stride = stride, .dilation = dilation, .pad_left = (kernel - 1) * dilation};
          const auto x = test::random_tensor<double>({2, length, 3}, 1),
                     w = test::random_tensor<double>({4, 3, kernel}, 2),
                     bias = test::random_tensor<double>({4}, 3);
          Tensor<float> xf(x.shape()), wf(w.shape()), bf(bias.shape());
          for (std::int64_t n = 0; n < x.size(); ++n) xf[n] = static_cast<float>(x[n]);
          for (std::int64_t n = 0; n < w.size(); ++n) wf[n] = static_cast<float>(w[n]);
          for (std::int64_t n = 0; n < 4; ++n) bf[n] = static_cast<float>(bias[n]);
          const auto y = conv1d(context, x, w, bias, options);
          const auto yf = conv1d(context, xf, wf, bf, options);
          const auto yp = conv1d(context, xf, pack_conv1d_weight(context, wf), bf, options);
          CHECK(std::equal(yf.values().begin(), yf.values().end(), yp.values().begin()));
          const std::int64_t out = (length - 1) / stride + 1;
          REQUIRE(y.shape() == Shape{2, out, 4});
          for (std::int64_t n = 0; n < y.size(); ++n) {
            const double wanted = oracle(x, w, bias, n / 4 / out, n % 4, n / 4 % out, options);
            CHECK(y[n] == doctest::Approx(wanted).epsilon(1e-12));
            CHECK(yf[n] == doctest::Approx(wanted).epsilon(1e-4));
          }
        }
}

TEST_CASE("conv1d refuses shapes that do not fit") {
  Context context;
  const Tensor<float> x({1, 5, 2}), w({3, 2, 3});
  CHECK_THROWS_AS(conv1d(context, Tensor<float>({1, 5, 1}), w, {}), ShapeError);
  CHECK_THROWS_AS(conv1d(context, x, w, Tensor<float>({2})), ShapeError);
  CHECK_THROWS_AS(conv1d(context, x, w, {}, {.dilation = 3}), ShapeError);
  CHECK_THROWS_AS(conv1d(context, x, w, {}, {.stride = 0}), ShapeError);
  // Products that would be 2^64, which is 0.
  CHECK_THROWS_AS(conv1d(context, x, w, {}, {.dilation = INT64_MAX / 2 + 1}), ShapeError);
  CHECK_THROWS_AS(conv1d(context, x, Tensor<float>({3, 2, 17}), {}, {.dilation = std::int64_t{1} << 60}),
                  ShapeError);
  CHECK_THROWS_AS(conv1d(context, x, w, {}, {.pad_left = INT64_MAX}), ShapeError);
  CHECK_THROWS_AS(conv1d(context, Tensor<float>({2, 5}), w, {}), ShapeError);
}

TEST_CASE("a frame computed alone has the bits that it has among others, for any number of threads") {
  Context one(1), three(3);
  const Conv1dOptions options{.stride = 1, .dilation = 4, .pad_left = 16, .activation = Activation::relu};
  const auto x = test::random_tensor<float>({3, 50, 96}, 1), w = test::random_tensor<float>({70, 96, 5}, 2),
             bias = test::random_tensor<float>({70}, 3);
  const auto y = conv1d(one, x, w, bias, options), z = conv1d(three, x, w, bias, options);
  CHECK(std::equal(y.values().begin(), y.values().end(), z.values().begin()));
  for (std::int64_t j = 16; j < 50; ++j) {
    const auto seen = Tensor<float>::view(const_cast<float*>(x.data()) + (50 + j - 16) * 96, {1, 17, 96});
    const auto alone = conv1d(one, seen, w, bias, {.dilation = 4, .activation = Activation::relu});
    REQUIRE(alone.shape() == Shape{1, 1, 70});
    CHECK(std::equal(alone.values().begin(), alone.values().end(), y.data() + (50 + j) * 70));
  }
}
