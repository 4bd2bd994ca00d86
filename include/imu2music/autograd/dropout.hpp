// Dropout in training (Srivastava et al. 2014): elements are left out at random, the others scaled up. In
// evaluation, with a Tensor, it is x itself.
#pragma once

#include "imu2music/autograd/tape.hpp"
#include "imu2music/ops/dropout.hpp"

namespace imu2music::inline v0 {

// The tape says the rate of each place; a rate of 0 records nothing.
template <class T>
Variable<T> dropout(Context& context, const Variable<T>& x, DropoutPlace place) {
  Tape<T>& recorder = Tape<T>::of(context);
  const DropoutRates& rates = recorder.dropout_rates();
  const double p = place == DropoutPlace::transformer ? rates.transformer : rates.encoder;
  if (p == 0) return x;
  const std::uint64_t seed = rates.seed, stream = recorder.next_dropout_stream();
  return recorder.record(dropout(context, x.value(), p, seed, stream), {&x},
                         [x, p, seed, stream](Tape<T>& tape, const Tensor<T>& dy) {
                           tape.accumulate(x, dropout(tape.context(), dy, p, seed, stream));
                         });
}

}  // namespace imu2music::inline v0
