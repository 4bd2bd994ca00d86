// The pointwise part of an LSTM step on the device: a thread an element of the cell, so that every one of the four
// gates is read by neighbouring threads from neighbouring places.
//
// Reads both gates and c once, writes h and c once.
#pragma once

#include "../lstm_table.hpp"
#include "launch.cuh"

namespace imu2music::inline v0::kernels::cuda {

constexpr int lstm_threads = 256;

__device__ __forceinline__ float sigmoid(float x) { return 1.0f / (1.0f + expf(-x)); }

// c may be c_out: a thread reads its element before it writes it.
__global__ void lstm_step_kernel(const float* __restrict__ gates_x, const float* __restrict__ gates_h, const float* c,
                                 float* __restrict__ h_out, float* c_out, std::int64_t count, std::int64_t H) {
  const std::int64_t at = std::int64_t{blockIdx.x} * lstm_threads + threadIdx.x;
  if (at >= count) return;
  const std::int64_t gate = at / H * 4 * H + at % H;
  const float i = sigmoid(gates_x[gate] + gates_h[gate]);
  const float f = sigmoid(gates_x[gate + H] + gates_h[gate + H]);
  const float g = tanhf(gates_x[gate + 2 * H] + gates_h[gate + 2 * H]);
  const float o = sigmoid(gates_x[gate + 3 * H] + gates_h[gate + 3 * H]);
  const float cell = f * c[at] + i * g;
  c_out[at] = cell;
  h_out[at] = o * tanhf(cell);
}

inline void lstm_step(const Context& context, const float* gates_x, const float* gates_h, const float* c,
                      float* h_out, float* c_out, std::int64_t b_begin, std::int64_t b_end, std::int64_t H) {
  const std::int64_t first = b_begin * H, count = (b_end - b_begin) * H;
  launch(context, "lstm_step", lstm_step_kernel, blocks_for(count, lstm_threads), lstm_threads, gates_x + 4 * first,
         gates_h + 4 * first, c + first, h_out + first, c_out + first, count, H);
}

inline void install(LstmKernels<float>& table) { table.step = &lstm_step; }

}  // namespace imu2music::inline v0::kernels::cuda
