// ops/linear.hpp with its gradient: dx = g W, dW = g^T x, db = column sums of g, g = dy activation'(y).
#pragma once

#include "imu2music/autograd/tape.hpp"
#include "imu2music/ops/activation_backward.hpp"
#include "imu2music/ops/linear.hpp"
#include "imu2music/ops/linear_backward.hpp"

namespace imu2music::inline v0 {

template <class T>
Variable<T> linear(Context& context, const Variable<T>& x, const Variable<T>& weight, const Variable<T>& bias,
                   Activation activation = Activation::none, T slope = T(0)) {
  Tensor<T> y = linear(context, x.value(), weight.value(), bias.value(), activation, slope);
  // The output is kept only where an activation needs it.
  const Tensor<T> kept = activation == Activation::none ? Tensor<T>() : y;
  return Tape<T>::of(context).record(
      std::move(y), {&x, &weight, &bias},
      [x, weight, bias, kept, activation, slope](Tape<T>& tape, const Tensor<T>& dy) {
        const Tensor<T> g =
            kept.defined() ? activation_backward(tape.context(), dy, kept, activation, double(slope)) : dy;
        if (!x.is_constant()) tape.accumulate(x, linear_backward_input(tape.context(), g, weight.value()));
        Tensor<T> dW = tape.gradient_sum(weight), db = tape.gradient_sum(bias);
        linear_backward_weight(tape.context(), g, x.value(), dW, db);
      });
}

}  // namespace imu2music::inline v0
