// ops/graph_conv.hpp with its gradient, in x and in A.
#pragma once

#include "imu2music/autograd/tape.hpp"
#include "imu2music/ops/graph_conv.hpp"
#include "imu2music/ops/graph_conv_backward.hpp"

namespace imu2music::inline v0 {

template <class T>
Variable<T> graph_conv(Context& context, const Variable<T>& x, const Variable<T>& A) {
  return Tape<T>::of(context).record(
      graph_conv(context, x.value(), A.value(), Tensor<T>(), Tensor<T>()), {&x, &A},
      [x, A](Tape<T>& tape, const Tensor<T>& dy) {
        if (!x.is_constant())
          tape.accumulate(x, graph_conv_backward_input(tape.context(), dy, A.value()).reshape(x.shape()));
        Tensor<T> dA = tape.gradient_sum(A);
        if (dA.defined()) graph_conv_backward_weight(tape.context(), dy, x.value(), dA);
      });
}

}  // namespace imu2music::inline v0
