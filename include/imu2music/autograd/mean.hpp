// ops/mean.hpp with its gradient.
#pragma once

#include "imu2music/autograd/tape.hpp"
#include "imu2music/ops/mean.hpp"
#include "imu2music/ops/mean_backward.hpp"

namespace imu2music::inline v0 {

template <class T>
Variable<T> mean(Context& context, const Variable<T>& x) {
  return Tape<T>::of(context).record(mean(context, x.value()), {&x}, [x](Tape<T>& tape, const Tensor<T>& dy) {
    tape.accumulate(x, mean_backward(tape.context(), dy, x.dim(-1)).reshape(x.shape()));
  });
}

}  // namespace imu2music::inline v0
