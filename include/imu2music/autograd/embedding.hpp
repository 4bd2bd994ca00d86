// ops/embedding.hpp with the gradient of its table; positions are constants.
#pragma once

#include "imu2music/autograd/tape.hpp"
#include "imu2music/ops/embedding.hpp"
#include "imu2music/ops/embedding_backward.hpp"

namespace imu2music::inline v0 {

template <class T>
Variable<T> embedding(Context& context, const Tensor<std::int64_t>& ids, const Variable<T>& table,
                      const Tensor<T>& positions, std::int64_t first_position = 0) {
  return Tape<T>::of(context).record(embedding(context, ids, table.value(), positions, first_position),
                                     {&table}, [ids, table](Tape<T>& tape, const Tensor<T>& dy) {
                                       Tensor<T> dtable = tape.gradient_sum(table);
                                       embedding_backward(tape.context(), dy, ids, dtable);
                                     });
}

}  // namespace imu2music::inline v0
