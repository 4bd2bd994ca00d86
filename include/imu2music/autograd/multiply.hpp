// y = x c, element by element, c a constant.
#pragma once

#include "imu2music/autograd/tape.hpp"
#include "imu2music/ops/multiply.hpp"

namespace imu2music::inline v0 {

template <class T>
Variable<T> multiply(Context& context, const Variable<T>& x, const Tensor<T>& c) {
  return Tape<T>::of(context).record(
      multiply(context, x.value(), c), {&x},
      [x, c](Tape<T>& tape, const Tensor<T>& dy) { tape.accumulate(x, multiply(tape.context(), dy, c)); });
}

}  // namespace imu2music::inline v0
