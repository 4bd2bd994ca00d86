// What convolutions along frames move about, on the device: a thread an element of the result, neighbours writing
// neighbours. Weights are read with steps between, but they are small; frames and columns are read in order.
#pragma once

#include "../conv1d_layout_table.hpp"
#include "launch.cuh"

namespace imu2music::inline v0::kernels::cuda {

constexpr int conv1d_layout_threads = 256;

// Turned: [C][kernel][O], kernel backwards; else [O][kernel][C].
template <bool Turned>
__global__ void __launch_bounds__(conv1d_layout_threads)
    conv1d_weight_kernel(const float* __restrict__ w, float* __restrict__ to, std::int64_t count, std::int64_t O,
                         std::int64_t C, std::int64_t kernel) {
  const std::int64_t at = std::int64_t{blockIdx.x} * conv1d_layout_threads + threadIdx.x;
  if (at >= count) return;
  const std::int64_t inner = Turned ? O : C, row = at / inner, last = at - row * inner;
  const std::int64_t first = row / kernel, u = row - first * kernel;
  const std::int64_t o = Turned ? last : first, c = Turned ? first : last;
  to[at] = w[(o * C + c) * kernel + (Turned ? kernel - 1 - u : u)];
}

inline void conv1d_matrix(const Context& context, const float* w, float* matrix, std::int64_t O, std::int64_t C,
                          std::int64_t kernel) {
  launch(context, "conv1d_matrix", conv1d_weight_kernel<false>, blocks_for(O * C * kernel, conv1d_layout_threads),
         conv1d_layout_threads, w, matrix, O * C * kernel, O, C, kernel);
}
inline void conv1d_turned(const Context& context, const float* w, float* turned, std::int64_t O, std::int64_t C,
                          std::int64_t kernel) {
  launch(context, "conv1d_turned", conv1d_weight_kernel<true>, blocks_for(O * C * kernel, conv1d_layout_threads),
         conv1d_layout_threads, w, turned, O * C * kernel, O, C, kernel);
}

// Numbers of x's sequence: `count`, at `first` of the `padded` ones of frames' sequence, which has `blocks` blocks.
__global__ void __launch_bounds__(conv1d_layout_threads)
    conv1d_pad_kernel(const float* __restrict__ x, float* __restrict__ frames, std::int64_t count, std::int64_t first,
                      std::int64_t padded, unsigned blocks) {
  const std::int64_t b = blockIdx.x / blocks;
  const std::int64_t at = std::int64_t{blockIdx.x % blocks} * conv1d_layout_threads + threadIdx.x;
  if (at >= padded) return;
  frames[b * padded + at] = at >= first && at < first + count ? x[b * count + at - first] : 0.0f;
}

inline void conv1d_pad(const Context& context, const float* x, float* frames, std::int64_t L, std::int64_t C,
                       std::int64_t before, std::int64_t padded, std::int64_t b_begin, std::int64_t b_end) {
  const unsigned blocks = blocks_for(padded * C, conv1d_layout_threads);
  launch(context, "conv1d_pad", conv1d_pad_kernel, static_cast<unsigned>(b_end - b_begin) * blocks,
         conv1d_layout_threads, x + b_begin * L * C, frames + b_begin * padded * C, L * C, before * C, padded * C,
         blocks);
}

// A block has elements of one sequence, which `blocks` blocks share.
__global__ void __launch_bounds__(conv1d_layout_threads)
    conv1d_gather_kernel(Conv1dGatherArguments<float> a, std::int64_t b_begin, unsigned blocks) {
  const std::int64_t b = b_begin + blockIdx.x / blocks;
  const std::int64_t at = std::int64_t{blockIdx.x % blocks} * conv1d_layout_threads + threadIdx.x;
  if (at >= a.L * a.C) return;
  const std::int64_t i = at / a.C, c = at - i * a.C;
  float sum = 0;
  for (std::int64_t u = a.kernel - 1; u >= 0; --u) {
    const std::int64_t step = i + a.pad_left - u * a.dilation;
    if (step < 0) continue;
    const std::int64_t j = step / a.stride;
    if (j * a.stride == step && j < a.out) sum += a.columns[((b * a.out + j) * a.kernel + u) * a.C + c];
  }
  a.dx[b * a.L * a.C + at] = sum;
}

inline void conv1d_gather(const Context& context, const Conv1dGatherArguments<float>& a, std::int64_t b_begin,
                          std::int64_t b_end) {
  const unsigned blocks = blocks_for(a.L * a.C, conv1d_layout_threads);
  launch(context, "conv1d_gather", conv1d_gather_kernel, static_cast<unsigned>(b_end - b_begin) * blocks,
         conv1d_layout_threads, a, b_begin, blocks);
}

inline void install(Conv1dLayoutKernels<float>& table) {
  table.matrix = &conv1d_matrix;
  table.turned = &conv1d_turned;
  table.pad = &conv1d_pad;
  table.gather = &conv1d_gather;
}

}  // namespace imu2music::inline v0::kernels::cuda
