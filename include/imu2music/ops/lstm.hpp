// One step of an LSTM layer: gates = W_ih x + b_ih + W_hh h + b_hh, then the cell (kernels/lstm_table.hpp).
//
// x: [B, D]; h, c: [B, H]; W_ih: [4 H, D]; W_hh: [4 H, H]; b_ih, b_hh: [4 H]; gates_x, gates_h: [B, 4 H], the
// two affine maps. Throws ShapeError. A row has the same bits in a batch of any size.
#pragma once

#include <cpu/lstm.hpp>

#include "imu2music/core/context.hpp"
#include "imu2music/core/parallel.hpp"
#include "imu2music/core/tensor.hpp"
#include "imu2music/ops/check.hpp"
#include "imu2music/ops/linear.hpp"

namespace imu2music::inline v0 {

namespace detail {

template <class T>
void lstm_pointwise(Context& context, const Tensor<T>& gates_x, const Tensor<T>& gates_h, const Tensor<T>& c,
                    Tensor<T>& h_out, Tensor<T>& c_out) {
  const std::int64_t H = c.dim(1);
  const auto& table = context.table<kernels::LstmKernels<T>>();
  parallel_for(context.threads(), c.dim(0), grain_for(100 * H), [&](std::int64_t begin, std::int64_t end) {
    table.step(context.kernel(), gates_x.data(), gates_h.data(), c.data(), h_out.data(), c_out.data(), begin,
               end, H);
  });
}

}  // namespace detail

// h and c are replaced by the next ones.
template <class T>
void lstm_step(Context& context, const Tensor<T>& x, const Tensor<T>& W_ih, const Tensor<T>& W_hh,
               const Tensor<T>& b_ih, const Tensor<T>& b_hh, Tensor<T>& h, Tensor<T>& c) {
  detail::require(x.rank() == 2 && h.rank() == 2 && h.dim(0) == x.dim(0) && c.shape() == h.shape() &&
                      W_hh.shape() == Shape{4 * h.dim(1), h.dim(1)} && W_ih.dim(0) == 4 * h.dim(1),
                  "lstm_step", [&] {
                    return "input " + x.shape().to_string() + ", state " + h.shape().to_string() + " and " +
                           c.shape().to_string() + " do not fit the weights " + W_ih.shape().to_string() +
                           " and " + W_hh.shape().to_string();
                  });
  const Tensor<T> gates_x = linear(context, x, W_ih, b_ih), gates_h = linear(context, h, W_hh, b_hh);
  detail::lstm_pointwise(context, gates_x, gates_h, c, h, c);
}

// The next output and cell, [B, H] each.
template <class T>
struct LstmCell {
  Tensor<T> h, c;
};

// The cell alone, its affine maps done.
template <class T>
LstmCell<T> lstm_cell(Context& context, const Tensor<T>& gates_x, const Tensor<T>& gates_h,
                      const Tensor<T>& c) {
  detail::require(
      c.rank() == 2 && gates_x.shape() == Shape{c.dim(0), 4 * c.dim(1)} && gates_h.shape() == gates_x.shape(),
      "lstm_cell", [&] {
        return "gates " + gates_x.shape().to_string() + " and " + gates_h.shape().to_string() +
               " do not fit the cell " + c.shape().to_string();
      });
  LstmCell<T> next{context.allocate<T>(c.shape()), context.allocate<T>(c.shape())};
  detail::lstm_pointwise(context, gates_x, gates_h, c, next.h, next.c);
  return next;
}

}  // namespace imu2music::inline v0
