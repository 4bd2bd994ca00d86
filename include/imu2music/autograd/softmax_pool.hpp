// ops/softmax_pool.hpp with its gradient.
#pragma once

#include "imu2music/autograd/tape.hpp"
#include "imu2music/ops/softmax_pool.hpp"
#include "imu2music/ops/softmax_pool_backward.hpp"

namespace imu2music::inline v0 {

template <class T>
Variable<T> softmax_pool(Context& context, const Variable<T>& scores, const Variable<T>& v) {
  Tensor<T> y = softmax_pool(context, scores.value(), v.value());
  return Tape<T>::of(context).record(y, {&scores, &v}, [scores, v, y](Tape<T>& tape, const Tensor<T>& dy) {
    const SoftmaxPoolGradients<T> gradients =
        softmax_pool_backward(tape.context(), dy, scores.value(), v.value(), y);
    tape.accumulate(scores, gradients.dscores);
    tape.accumulate(v, gradients.dv);
  });
}

}  // namespace imu2music::inline v0
