// ops/conv1d.hpp with its gradient.
#pragma once

#include "imu2music/autograd/tape.hpp"
#include "imu2music/ops/activation_backward.hpp"
#include "imu2music/ops/conv1d.hpp"
#include "imu2music/ops/conv1d_backward.hpp"

namespace imu2music::inline v0 {

template <class T>
Variable<T> conv1d(Context& context, const Variable<T>& x, const Variable<T>& weight, const Variable<T>& bias,
                   const Conv1dOptions& options = {}) {
  Tensor<T> y = conv1d(context, x.value(), weight.value(), bias.value(), options);
  const Tensor<T> kept = options.activation == Activation::none ? Tensor<T>() : y;
  return Tape<T>::of(context).record(
      std::move(y), {&x, &weight, &bias},
      [x, weight, bias, kept, options](Tape<T>& tape, const Tensor<T>& dy) {
        const Tensor<T> g = kept.defined() ? activation_backward(tape.context(), dy, kept, options.activation,
                                                                 double(options.slope))
                                           : dy;
        if (!x.is_constant())
          tape.accumulate(x, conv1d_backward_input(tape.context(), g, weight.value(), x.dim(1), options));
        Tensor<T> dw = tape.gradient_sum(weight), db = tape.gradient_sum(bias);
        conv1d_backward_weight(tape.context(), g, x.value(), options, dw, db);
      });
}

}  // namespace imu2music::inline v0
