// Long sums on the device: blocks form partial sums side by side, as many as the sizes alone say, and a second kernel
// adds them in rising order. So no bit depends on which block comes first.
//
// Partial sums lie in memory of the queue, which gets it back when the launcher is done with asking: the stream's
// order keeps it apart from its next user.
#pragma once

#include <cstddef>
#include <cstdint>

#include "../device_runtime.hpp"
#include "launch.cuh"

namespace imu2music::inline v0::kernels::cuda {

class PartialSums {
 public:
  // `parts` times `count` numbers, not set.
  PartialSums(const Context& context, std::int64_t parts, std::int64_t count)
      : context_(context),
        memory_(cuda_runtime->allocate(context, static_cast<std::size_t>(parts * count) * sizeof(float))) {}
  ~PartialSums() { cuda_runtime->release(context_, memory_); }
  PartialSums(const PartialSums&) = delete;
  PartialSums& operator=(const PartialSums&) = delete;

  float* data() const { return static_cast<float*>(memory_); }

 private:
  const Context& context_;
  void* memory_;
};

constexpr int add_partial_sums_threads = 128;

__global__ void add_partial_sums_kernel(const float* __restrict__ partial, float* sum, std::int64_t parts,
                                        std::int64_t stride, std::int64_t count) {
  const std::int64_t n = std::int64_t{blockIdx.x} * add_partial_sums_threads + threadIdx.x;
  if (n >= count) return;
  float total = 0;
#pragma unroll 8
  for (std::int64_t part = 0; part < parts; ++part) total += partial[part * stride + n];
  sum[n] += total;
}

// sum[n] += sum over parts of partial[part stride + n], n < count.
inline void add_partial_sums(const Context& context, const float* partial, float* sum, std::int64_t parts,
                             std::int64_t stride, std::int64_t count) {
  launch(context, "add_partial_sums", add_partial_sums_kernel, blocks_for(count, add_partial_sums_threads),
         add_partial_sums_threads, partial, sum, parts, stride, count);
}

}  // namespace imu2music::inline v0::kernels::cuda
