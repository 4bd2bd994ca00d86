// The gradient of the pointwise part of an LSTM step (lstm_table.hpp), with i, f, g, o and c' as there,
// computed anew, and t = tanh(c'):
//
//   do = t dh,   dc' = dc_out + o (1 - t^2) dh
//   di = g dc',   df = c dc',   dg = i dc',   dc = f dc'
//   dgates = (i (1 - i) di, f (1 - f) df, (1 - g^2) dg, o (1 - o) do)
//
// gates_x, gates_h, dgates: [B, 4 H]; c, dh, dc_out, dc: [B, H]. dh and dc_out, the gradients of h' and of
// c', may be null: zero. dgates is the gradient of gates_x and of gates_h alike. dgates and dc overlap
// nothing else.
#pragma once

#include <cstdint>

#include "kernel_context.hpp"

namespace imu2music::inline v0::kernels {

template <class T>
struct LstmBackwardArguments {
  const T* gates_x = nullptr;
  const T* gates_h = nullptr;
  const T* c = nullptr;
  const T* dh = nullptr;
  const T* dc_out = nullptr;
  T* dgates = nullptr;
  T* dc = nullptr;
  std::int64_t H = 0;
};

template <class T>
struct LstmBackwardKernels {
  // Rows b_begin..b_end.
  void (*step)(const Context& context, const LstmBackwardArguments<T>& arguments, std::int64_t b_begin,
               std::int64_t b_end) = nullptr;
};

}  // namespace imu2music::inline v0::kernels
