// ops/conv2d.hpp with its gradient. Batch norms are not fused here: in training they are functions of the
// batch.
#pragma once

#include "imu2music/autograd/tape.hpp"
#include "imu2music/ops/activation_backward.hpp"
#include "imu2music/ops/conv2d.hpp"
#include "imu2music/ops/conv2d_backward.hpp"

namespace imu2music::inline v0 {

template <class T>
Variable<T> conv2d(Context& context, const Variable<T>& x, const Variable<T>& weight, const Variable<T>& bias,
                   const Conv2dOptions& options = {}) {
  Tensor<T> y = conv2d(context, x.value(), weight.value(), bias.value(), options);
  const Tensor<T> kept = options.activation == Activation::none ? Tensor<T>() : y;
  return Tape<T>::of(context).record(
      std::move(y), {&x, &weight, &bias},
      [x, weight, bias, kept, options](Tape<T>& tape, const Tensor<T>& dy) {
        const Tensor<T> g = kept.defined() ? activation_backward(tape.context(), dy, kept, options.activation,
                                                                 double(options.slope))
                                           : dy;
        if (!x.is_constant())
          tape.accumulate(
              x, conv2d_backward_input(tape.context(), g, weight.value(), x.dim(2), x.dim(3), options));
        Tensor<T> dw = tape.gradient_sum(weight), db = tape.gradient_sum(bias);
        conv2d_backward_weight(tape.context(), g, x.value(), options, dw, db);
      });
}

}  // namespace imu2music::inline v0
