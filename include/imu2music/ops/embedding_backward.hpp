// The gradient of embedding()'s table: dtable[ids[b][t]] += dy[b][t], in the order of the tokens.
//
// dy: [B, T, D]; ids: [B, T] in 0..V-1; dtable: [V, D]. Throws ShapeError, also for an id outside the
// vocabulary.
#pragma once

#include <cpu/embedding_backward.hpp>

#include "imu2music/core/context.hpp"
#include "imu2music/core/parallel.hpp"
#include "imu2music/core/tensor.hpp"
#include "imu2music/core/transfer.hpp"
#include "imu2music/ops/check.hpp"

namespace imu2music::inline v0 {

template <class T>
void embedding_backward(Context& context, const Tensor<T>& dy, const Tensor<std::int64_t>& ids,
                        Tensor<T>& dtable) {
  detail::require(dy.rank() == 3 && ids.rank() == 2 && dtable.rank() == 2 && dy.dim(0) == ids.dim(0) &&
                      dy.dim(1) == ids.dim(1) && dy.dim(2) == dtable.dim(1),
                  "embedding_backward", [&] {
                    return "gradient " + dy.shape().to_string() + " does not fit ids " +
                           ids.shape().to_string() + " and table " + dtable.shape().to_string();
                  });
  const std::int64_t V = dtable.dim(0), D = dtable.dim(1), rows = ids.size();
  for (const std::int64_t id : ids.values())
    detail::require(id >= 0 && id < V, "embedding_backward", [&] {
      return "token " + std::to_string(id) + " is outside the vocabulary of " + std::to_string(V);
    });
  const Tensor<std::int64_t> there = on_device_of(context, ids);
  const auto& kernel = context.table<kernels::EmbeddingBackwardKernels<T>>();
  parallel_for(context.threads(), D, detail::grain_for(rows), [&](std::int64_t begin, std::int64_t end) {
    kernel.backward(context.kernel(), dy.data(), there.data(), dtable.data(), rows, begin, end, D);
  });
}

}  // namespace imu2music::inline v0
