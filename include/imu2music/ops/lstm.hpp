// One step of an LSTM layer's cell, its two affine maps done (kernels/lstm_table.hpp):
//
//   gates_x = W_ih x + b_ih, gates_h = W_hh h + b_hh: [B, 4 H];   h, c: [B, H]
//
// Throws ShapeError. A row has the same bits in a batch of any size.
#pragma once

#include <cpu/lstm.hpp>

#include "imu2music/core/context.hpp"
#include "imu2music/core/parallel.hpp"
#include "imu2music/core/tensor.hpp"
#include "imu2music/ops/check.hpp"

namespace imu2music::inline v0 {

namespace detail {

template <class T>
void require_lstm_gates(const char* name, const Tensor<T>& gates_x, const Tensor<T>& gates_h,
                        const Tensor<T>& c) {
  require(
      c.rank() == 2 && gates_x.shape() == Shape{c.dim(0), 4 * c.dim(1)} && gates_h.shape() == gates_x.shape(),
      name, [&] {
        return "gates " + gates_x.shape().to_string() + " and " + gates_h.shape().to_string() +
               " do not fit the cell " + c.shape().to_string();
      });
}

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

// The next output and cell, [B, H] each.
template <class T>
struct LstmCell {
  Tensor<T> h, c;
};

template <class T>
LstmCell<T> lstm_cell(Context& context, const Tensor<T>& gates_x, const Tensor<T>& gates_h,
                      const Tensor<T>& c) {
  detail::require_lstm_gates("lstm_cell", gates_x, gates_h, c);
  LstmCell<T> next{context.allocate<T>(c.shape()), context.allocate<T>(c.shape())};
  detail::lstm_pointwise(context, gates_x, gates_h, c, next.h, next.c);
  return next;
}

// The same in place: h and c are replaced by the next ones.
template <class T>
void lstm_step(Context& context, const Tensor<T>& gates_x, const Tensor<T>& gates_h, Tensor<T>& h,
               Tensor<T>& c) {
  detail::require_lstm_gates("lstm_step", gates_x, gates_h, c);
  detail::require(h.shape() == c.shape(), "lstm_step", [&] {
    return "the output " + h.shape().to_string() + " must be as the cell " + c.shape().to_string();
  });
  detail::lstm_pointwise(context, gates_x, gates_h, c, h, c);
}

}  // namespace imu2music::inline v0
