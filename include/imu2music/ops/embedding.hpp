// Token embedding plus position: y[b][t] = table[ids[b][t]] + positions[first_position + t].
//
// ids: [B, T] in 0..V-1; table: [V, D]; positions: [P, D] with P >= first_position + T, or undefined: none;
// result: [B, T, D]. Throws ShapeError, also for an id outside the vocabulary.
#pragma once

#include <cpu/embedding.hpp>

#include "imu2music/core/context.hpp"
#include "imu2music/core/parallel.hpp"
#include "imu2music/core/tensor.hpp"
#include "imu2music/core/transfer.hpp"
#include "imu2music/ops/check.hpp"

namespace imu2music::inline v0 {

template <class T>
Tensor<T> embedding(Context& context, const Tensor<std::int64_t>& ids, const Tensor<T>& table,
                    const Tensor<T>& positions, std::int64_t first_position = 0) {
  detail::require(ids.rank() == 2 && table.rank() == 2, "embedding", [&] {
    return "ids " + ids.shape().to_string() + " and table " + table.shape().to_string() +
           " must have two axes each";
  });
  const std::int64_t B = ids.dim(0), length = ids.dim(1), V = table.dim(0), D = table.dim(1);
  detail::require(
      !positions.defined() || (positions.rank() == 2 && positions.dim(1) == D && first_position >= 0 &&
                               first_position <= positions.dim(0) - length),
      "embedding", [&] {
        return std::to_string(length) + " tokens of width " + std::to_string(D) + " from position " +
               std::to_string(first_position) + " on do not fit the positions " +
               positions.shape().to_string();
      });
  for (std::int64_t n = 0; n < B * length; ++n)
    detail::require(ids[n] >= 0 && ids[n] < V, "embedding", [&] {
      return "token " + std::to_string(ids[n]) + " is outside the vocabulary of " + std::to_string(V);
    });
  const Tensor<std::int64_t> there = on_device_of(context, ids);
  const Tensor<T> rows = on_device_of(context, positions);
  Tensor<T> y = context.allocate<T>({B, length, D});
  const auto& kernel = context.table<kernels::EmbeddingKernels<T>>();
  parallel_for(
      context.threads(), B * length, detail::grain_for(D), [&](std::int64_t begin, std::int64_t end) {
        kernel.forward(context.kernel(), there.data(), table.data(), rows.defined() ? rows.data() : nullptr,
                       first_position, y.data(), begin, end, length, D);
      });
  return y;
}

}  // namespace imu2music::inline v0
