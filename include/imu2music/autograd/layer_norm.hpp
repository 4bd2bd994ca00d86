// ops/layer_norm.hpp with its gradient, which x and the residual share.
#pragma once

#include "imu2music/autograd/tape.hpp"
#include "imu2music/ops/layer_norm.hpp"
#include "imu2music/ops/layer_norm_backward.hpp"

namespace imu2music::inline v0 {

// `residual` may be undefined.
template <class T>
Variable<T> layer_norm(Context& context, const Variable<T>& x, const Variable<T>& residual,
                       const Variable<T>& gamma, const Variable<T>& beta, T eps) {
  return Tape<T>::of(context).record(
      layer_norm(context, x.value(), residual.value(), gamma.value(), beta.value(), eps),
      {&x, &residual, &gamma, &beta}, [x, residual, gamma, beta, eps](Tape<T>& tape, const Tensor<T>& dy) {
        Tensor<T> dgamma = tape.gradient_sum(gamma), dbeta = tape.gradient_sum(beta);
        const Tensor<T> ds = layer_norm_backward(tape.context(), dy, x.value(), residual.value(),
                                                 gamma.value(), eps, dgamma, dbeta);
        tape.accumulate(x, ds);
        tape.accumulate(residual, ds);
      });
}

}  // namespace imu2music::inline v0
