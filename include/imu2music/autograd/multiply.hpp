// y = x c, element by element, c a constant.
#pragma once

#include "imu2music/autograd/tape.hpp"

namespace imu2music::inline v0 {

template <class T>
Variable<T> multiply(Context& context, const Variable<T>& x, const Tensor<T>& c) {
  detail::require(x.shape() == c.shape(), "multiply",
                  [&] { return x.shape().to_string() + " and " + c.shape().to_string() + " differ"; });
  const auto product = [c](Context& where, const Tensor<T>& a) {
    Tensor<T> result = where.allocate<T>(c.shape());
    for (std::int64_t n = 0; n < c.size(); ++n) result[n] = a[n] * c[n];
    return result;
  };
  return Tape<T>::of(context).record(
      product(context, x.value()), {&x},
      [x, product](Tape<T>& tape, const Tensor<T>& dy) { tape.accumulate(x, product(tape.context(), dy)); });
}

}  // namespace imu2music::inline v0
