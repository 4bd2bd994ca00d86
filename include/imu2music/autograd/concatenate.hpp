// ops/concatenate.hpp with its gradient: each part gets its own share.
#pragma once

#include "imu2music/autograd/tape.hpp"
#include "imu2music/ops/concatenate.hpp"

namespace imu2music::inline v0 {

template <class T>
Variable<T> concatenate(Context& context, std::span<const Variable<T>> parts, int axis) {
  std::vector<Tensor<T>> values;
  bool constant = true;
  for (const Variable<T>& part : parts) {
    values.push_back(part.value());
    if (part.is_constant()) continue;
    constant = false;
    Tape<T>::of(context).check_recorded(part);
  }
  Tensor<T> y = concatenate(context, std::span<const Tensor<T>>(values), axis);
  if (constant) return Variable<T>(std::move(y));
  const Variable<T>& any =
      *std::find_if(parts.begin(), parts.end(), [](const Variable<T>& part) { return !part.is_constant(); });
  std::int64_t inner = 1;  // elements of one step along the axis
  for (int i = (axis < 0 ? axis + y.rank() : axis) + 1; i < y.rank(); ++i) inner *= y.dim(i);
  const std::int64_t width = y.dim(axis) * inner;
  return Tape<T>::of(context).record(
      std::move(y), {&any},
      [parts = std::vector<Variable<T>>(parts.begin(), parts.end()), axis, inner, width](
          Tape<T>& tape, const Tensor<T>& dy) {
        std::int64_t first = 0;
        const std::int64_t rows = width == 0 ? 0 : dy.size() / width;
        for (const Variable<T>& part : parts) {
          const std::int64_t own = part.dim(axis) * inner;
          if (!part.is_constant()) {
            Tensor<T> share = tape.context().template allocate<T>(part.shape());
            if (tape.context().on_device()) {
              kernels::StridedCopyArguments<T> arguments;
              arguments.x = dy.data() + first, arguments.y = share.data(), arguments.rank = 2;
              arguments.size[0] = rows, arguments.size[1] = own;
              arguments.x_stride[0] = width, arguments.x_stride[1] = 1;
              arguments.y_stride[0] = own, arguments.y_stride[1] = 1;
              tape.context().template table<kernels::StridedCopyKernels<T>>().copy(tape.context().kernel(),
                                                                                   arguments);
            }
            for (std::int64_t row = 0; row < rows && !tape.context().on_device(); ++row)
              std::copy_n(dy.data() + row * width + first, own, share.data() + row * own);
            tape.accumulate(part, share);
          }
          first += own;
        }
      });
}

}  // namespace imu2music::inline v0
