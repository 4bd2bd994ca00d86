#include "imu2music/ops/lstm.hpp"

#include <doctest/doctest.h>

#include <cmath>

#include "imu2music/ops/linear.hpp"
#include "random.hpp"

using namespace imu2music;

TEST_CASE("lstm_step is its definition, in place, and float agrees") {
  const std::int64_t B = 3, D = 5, H = 9;
  const auto x = test::random_tensor<double>({B, D}, 1), W_ih = test::random_tensor<double>({4 * H, D}, 2),
             W_hh = test::random_tensor<double>({4 * H, H}, 3),
             b_ih = test::random_tensor<double>({4 * H}, 4), b_hh = test::random_tensor<double>({4 * H}, 5),
             h0 = test::random_tensor<double>({B, H}, 6), c0 = test::random_tensor<double>({B, H}, 7);
  const auto single = [](const Tensor<double>& from) {
    Tensor<float> to(from.shape());
    for (std::int64_t n = 0; n < from.size(); ++n) to[n] = static_cast<float>(from[n]);
    return to;
  };
  Context context;
  auto h = h0.clone(), c = c0.clone();
  auto hf = single(h0), cf = single(c0);
  lstm_step(context, linear(context, x, W_ih, b_ih), linear(context, h, W_hh, b_hh), h, c);
  lstm_step(context, linear(context, single(x), single(W_ih), single(b_ih)),
            linear(context, hf, single(W_hh), single(b_hh)), hf, cf);
  const auto sigmoid = [](double z) { return 1 / (1 + std::exp(-z)); };
  for (std::int64_t b = 0; b < B; ++b)
    for (std::int64_t n = 0; n < H; ++n) {
      double gate[4];
      for (std::int64_t g = 0; g < 4; ++g) {
        const std::int64_t row = g * H + n;
        gate[g] = b_ih[row] + b_hh[row];
        for (std::int64_t d = 0; d < D; ++d) gate[g] += W_ih[row * D + d] * x[b * D + d];
        for (std::int64_t d = 0; d < H; ++d) gate[g] += W_hh[row * H + d] * h0[b * H + d];
      }
      const double cell = sigmoid(gate[1]) * c0[b * H + n] + sigmoid(gate[0]) * std::tanh(gate[2]);
      const double output = sigmoid(gate[3]) * std::tanh(cell);
      CHECK(c[b * H + n] == doctest::Approx(cell).epsilon(1e-12));
      CHECK(h[b * H + n] == doctest::Approx(output).epsilon(1e-12));
      CHECK(cf[b * H + n] == doctest::Approx(cell).epsilon(1e-4));
      CHECK(hf[b * H + n] == doctest::Approx(output).epsilon(1e-4));
    }
  auto wrong = Tensor<double>({B, H + 1});
  const auto gates = linear(context, x, W_ih, b_ih);
  CHECK_THROWS_AS(lstm_step(context, gates, gates, wrong, c), ShapeError);
  CHECK_THROWS_AS(lstm_step(context, gates, x, h, c), ShapeError);
}
