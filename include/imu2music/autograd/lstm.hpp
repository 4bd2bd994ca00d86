// The pointwise part of an LSTM step (kernels/lstm_table.hpp) with its gradient.
#pragma once

#include "imu2music/autograd/tape.hpp"
#include "imu2music/ops/lstm.hpp"
#include "imu2music/ops/lstm_backward.hpp"

namespace imu2music::inline v0 {

template <class T>
struct RecordedLstmCell {
  Variable<T> h, c;
};

// gates_x, gates_h: [B, 4 H]; c: [B, H]; result: the next output and cell.
template <class T>
RecordedLstmCell<T> lstm_cell(Context& context, const Variable<T>& gates_x, const Variable<T>& gates_h,
                              const Variable<T>& c) {
  LstmCell<T> next = lstm_cell(context, gates_x.value(), gates_h.value(), c.value());
  auto [h, cell] = Tape<T>::of(context).record_pair(
      next.h, next.c, {&gates_x, &gates_h, &c},
      [gates_x, gates_h, c](Tape<T>& tape, const Tensor<T>& gradient) {
        const std::int64_t N = c.size();
        const LstmCellGradients<T> gradients = lstm_cell_backward(
            tape.context(), gates_x.value(), gates_h.value(), c.value(),
            gradient.slice(0, N).reshape(c.shape()), gradient.slice(N, N).reshape(c.shape()));
        tape.accumulate(gates_x, gradients.dgates);
        tape.accumulate(gates_h, gradients.dgates);
        tape.accumulate(c, gradients.dc);
      });
  return {std::move(h), std::move(cell)};
}

}  // namespace imu2music::inline v0
