// The gradient of the pointwise part of an LSTM step on the device: a thread an element of the cell, which computes
// its gates anew.
//
// Reads both gates, c, dh and dc_out once, writes dgates and dc once.
#pragma once

#include "../lstm_backward_table.hpp"
#include "launch.cuh"
#include "lstm.cuh"

namespace imu2music::inline v0::kernels::cuda {

// The arguments' pointers are those of the first element; dh and dc_out may be null.
__global__ void lstm_backward_step_kernel(LstmBackwardArguments<float> a, std::int64_t count) {
  const std::int64_t at = std::int64_t{blockIdx.x} * lstm_threads + threadIdx.x;
  if (at >= count) return;
  const std::int64_t H = a.H, gate = at / H * 4 * H + at % H;
  const float i = sigmoid(a.gates_x[gate] + a.gates_h[gate]);
  const float f = sigmoid(a.gates_x[gate + H] + a.gates_h[gate + H]);
  const float g = tanhf(a.gates_x[gate + 2 * H] + a.gates_h[gate + 2 * H]);
  const float o = sigmoid(a.gates_x[gate + 3 * H] + a.gates_h[gate + 3 * H]);
  const float c = a.c[at], t = tanhf(f * c + i * g);
  const float dh = a.dh != nullptr ? a.dh[at] : 0.0f;
  const float dc_out = a.dc_out != nullptr ? a.dc_out[at] : 0.0f;
  const float dcell = dc_out + dh * o * (1.0f - t * t);
  a.dgates[gate] = dcell * g * (i * (1.0f - i));
  a.dgates[gate + H] = dcell * c * (f * (1.0f - f));
  a.dgates[gate + 2 * H] = dcell * i * (1.0f - g * g);
  a.dgates[gate + 3 * H] = dh * t * (o * (1.0f - o));
  a.dc[at] = dcell * f;
}

inline void lstm_backward_step(const Context& context, const LstmBackwardArguments<float>& arguments,
                               std::int64_t b_begin, std::int64_t b_end) {
  const std::int64_t first = b_begin * arguments.H, count = (b_end - b_begin) * arguments.H;
  LstmBackwardArguments<float> a = arguments;
  a.gates_x += 4 * first, a.gates_h += 4 * first, a.dgates += 4 * first;
  a.c += first, a.dc += first;
  if (a.dh != nullptr) a.dh += first;
  if (a.dc_out != nullptr) a.dc_out += first;
  launch(context, "lstm_backward_step", lstm_backward_step_kernel, blocks_for(count, lstm_threads), lstm_threads, a,
         count);
}

inline void install(LstmBackwardKernels<float>& table) { table.step = &lstm_backward_step; }

}  // namespace imu2music::inline v0::kernels::cuda
