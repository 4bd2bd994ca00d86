// What a module has to know of recording, so that one forward<V> serves inference (V = Tensor) and training
// (V = Variable, autograd/tape.hpp) alike.
//
//   records<V>               whether V records, and the module is in training mode
//   parameter<V>(context, p) the parameter p as a V
//   constant<V>(x)           data as a V
//   dropout(context, x, place)  in evaluation x itself; with a Variable autograd/dropout.hpp
#pragma once

#include "imu2music/core/context.hpp"
#include "imu2music/core/tensor.hpp"

namespace imu2music::inline v0 {

template <class V>
inline constexpr bool records = false;

template <class T>
class Tape;

template <class V, class T>
decltype(auto) parameter(Context& context, const Tensor<T>& value) {
  if constexpr (records<V>)
    return Tape<T>::of(context).parameter(value);
  else
    return static_cast<const Tensor<T>&>(value);
}

template <class V, class T>
V constant(const Tensor<T>& value) {
  return V(value);
}

// Where dropout stands; each place has a rate of its own.
enum class DropoutPlace {
  transformer,  // embeddings, residual branches, feed-forward
  encoder,      // the motion's encoder
};

template <class T>
const Tensor<T>& dropout(Context&, const Tensor<T>& x, DropoutPlace) {
  return x;
}

}  // namespace imu2music::inline v0
