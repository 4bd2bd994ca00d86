// ops/add.hpp with its gradient.
#pragma once

#include "imu2music/autograd/tape.hpp"
#include "imu2music/ops/activation_backward.hpp"
#include "imu2music/ops/add.hpp"

namespace imu2music::inline v0 {

template <class T>
Variable<T> add(Context& context, const Variable<T>& a, const Variable<T>& b,
                Activation activation = Activation::none, double slope = 0) {
  Tensor<T> y = add(context, a.value(), b.value(), activation, slope);
  const Tensor<T> kept = activation == Activation::none ? Tensor<T>() : y;
  return Tape<T>::of(context).record(
      std::move(y), {&a, &b}, [a, b, kept, activation, slope](Tape<T>& tape, const Tensor<T>& dy) {
        const Tensor<T> g =
            kept.defined() ? activation_backward(tape.context(), dy, kept, activation, slope) : dy;
        tape.accumulate(a, g);
        tape.accumulate(b, g);
      });
}

// With a constant.
template <class T>
Variable<T> add(Context& context, const Variable<T>& a, const Tensor<T>& b) {
  return add(context, a, Variable<T>(b));
}

}  // namespace imu2music::inline v0
