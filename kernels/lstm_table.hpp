// The pointwise part of one LSTM step (Hochreiter and Schmidhuber 1997; the gates as PyTorch orders them):
//
//   i, f, g, o = the four quarters of gates_x + gates_h
//   c' = sigmoid(f) c + sigmoid(i) tanh(g),   h' = sigmoid(o) tanh(c')
//
// gates_x: [B, 4 H], the input's affine map; gates_h: [B, 4 H], the previous output's; c, c_out, h_out: [B,
// H]. c_out may be c; h_out overlaps nothing else.
#pragma once

#include <cstdint>

#include "kernel_context.hpp"

namespace imu2music::inline v0::kernels {

template <class T>
struct LstmKernels {
  // Rows b_begin..b_end.
  void (*step)(const Context& context, const T* gates_x, const T* gates_h, const T* c, T* h_out, T* c_out,
               std::int64_t b_begin, std::int64_t b_end, std::int64_t H) = nullptr;
};

}  // namespace imu2music::inline v0::kernels
