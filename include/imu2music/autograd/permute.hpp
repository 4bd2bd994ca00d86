// ops/permute.hpp with its gradient, the inverse order.
#pragma once

#include "imu2music/autograd/tape.hpp"
#include "imu2music/ops/permute.hpp"

namespace imu2music::inline v0 {

template <class T>
Variable<T> permute(Context& context, const Variable<T>& x, std::span<const int> order) {
  std::array<int, Shape::max_rank> inverse{};
  const auto rank = static_cast<std::size_t>(x.rank());
  Tensor<T> y = permute(context, x.value(), order);
  for (std::size_t i = 0; i < rank; ++i) inverse[static_cast<std::size_t>(order[i])] = static_cast<int>(i);
  return Tape<T>::of(context).record(
      std::move(y), {&x}, [x, inverse, rank](Tape<T>& tape, const Tensor<T>& dy) {
        tape.accumulate(x, permute(tape.context(), dy, std::span<const int>(inverse.data(), rank)));
      });
}

template <class T>
Variable<T> permute(Context& context, const Variable<T>& x, std::initializer_list<int> order) {
  return permute(context, x, std::span<const int>(order.begin(), order.size()));
}

}  // namespace imu2music::inline v0
