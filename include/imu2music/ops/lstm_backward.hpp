// The gradient of lstm_cell (ops/lstm.hpp; formula: kernels/lstm_backward_table.hpp). The gates are computed
// anew, so nothing of the forward step but its operands need be kept.
//
// gates_x, gates_h: [B, 4 H]; c, dh, dc_out: [B, H]; dh and dc_out, the gradients of the next output and
// cell, may be undefined: zero. Throws ShapeError.
#pragma once

#include <cpu/lstm_backward.hpp>

#include "imu2music/core/context.hpp"
#include "imu2music/core/parallel.hpp"
#include "imu2music/core/tensor.hpp"
#include "imu2music/ops/check.hpp"

namespace imu2music::inline v0 {

template <class T>
struct LstmCellGradients {
  Tensor<T> dgates;  // [B, 4 H], of gates_x and of gates_h alike
  Tensor<T> dc;      // [B, H]
};

template <class T>
LstmCellGradients<T> lstm_cell_backward(Context& context, const Tensor<T>& gates_x, const Tensor<T>& gates_h,
                                        const Tensor<T>& c, const Tensor<T>& dh, const Tensor<T>& dc_out) {
  detail::require(
      c.rank() == 2 && gates_x.shape() == Shape{c.dim(0), 4 * c.dim(1)} && gates_h.shape() == gates_x.shape(),
      "lstm_cell_backward", [&] {
        return "gates " + gates_x.shape().to_string() + " and " + gates_h.shape().to_string() +
               " do not fit the cell " + c.shape().to_string();
      });
  for (const Tensor<T>* gradient : {&dh, &dc_out})
    detail::require(!gradient->defined() || gradient->shape() == c.shape(), "lstm_cell_backward", [&] {
      return "gradient " + gradient->shape().to_string() + " does not fit the cell " + c.shape().to_string();
    });
  LstmCellGradients<T> gradients{context.allocate<T>(gates_x.shape()), context.allocate<T>(c.shape())};
  kernels::LstmBackwardArguments<T> arguments;
  arguments.gates_x = gates_x.data(), arguments.gates_h = gates_h.data(), arguments.c = c.data();
  arguments.dh = dh.data(), arguments.dc_out = dc_out.data();
  arguments.dgates = gradients.dgates.data(), arguments.dc = gradients.dc.data();
  arguments.H = c.dim(1);
  const auto& table = context.table<kernels::LstmBackwardKernels<T>>();
  parallel_for(
      context.threads(), c.dim(0), detail::grain_for(150 * c.dim(1)),
      [&](std::int64_t begin, std::int64_t end) { table.step(context.kernel(), arguments, begin, end); });
  return gradients;
}

}  // namespace imu2music::inline v0
