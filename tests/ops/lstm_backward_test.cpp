#include "imu2music/ops/lstm_backward.hpp"

#include <doctest/doctest.h>

#include "imu2music/ops/lstm.hpp"
#include "numeric_gradient.hpp"
#include "random.hpp"

using namespace imu2music;

TEST_CASE("lstm_cell_backward is the gradient of lstm_cell, with either of its parts or both") {
  Context context(2);
  const std::int64_t B = 3, H = 5;
  auto gates_x = test::random_tensor<double>({B, 4 * H}, 1),
       gates_h = test::random_tensor<double>({B, 4 * H}, 2), c = test::random_tensor<double>({B, H}, 3);
  const auto dh = test::random_tensor<double>({B, H}, 4), dc_out = test::random_tensor<double>({B, H}, 5);
  const Tensor<double> none;
  for (const bool with_h : {true, false})
    for (const bool with_c : {true, false}) {
      CAPTURE(with_h);
      CAPTURE(with_c);
      const auto loss = [&] {
        const LstmCell<double> next = lstm_cell(context, gates_x, gates_h, c);
        return (with_h ? test::inner_product(next.h, dh) : 0) +
               (with_c ? test::inner_product(next.c, dc_out) : 0);
      };
      const auto gradients =
          lstm_cell_backward(context, gates_x, gates_h, c, with_h ? dh : none, with_c ? dc_out : none);
      CHECK(gradients.dgates.shape() == gates_x.shape());
      CHECK(gradients.dc.shape() == c.shape());
      test::check_gradient(gates_x, gradients.dgates, loss);
      test::check_gradient(gates_h, gradients.dgates, loss);
      test::check_gradient(c, gradients.dc, loss);
    }
}

TEST_CASE("lstm_cell_backward refuses what does not fit") {
  Context context;
  const Tensor<double> gates({2, 12}), c({2, 3}), none;
  CHECK_THROWS_AS(lstm_cell_backward(context, gates, Tensor<double>({2, 3}), c, c, c), ShapeError);
  CHECK_THROWS_AS(lstm_cell_backward(context, gates, gates, Tensor<double>({2, 4}), none, none), ShapeError);
  CHECK_THROWS_AS(lstm_cell_backward(context, gates, gates, c, gates, none), ShapeError);
  CHECK_THROWS_AS(lstm_cell_backward(context, gates, gates, c, none, gates), ShapeError);
}
