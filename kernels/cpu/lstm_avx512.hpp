// The pointwise part of an LSTM step, AVX-512.
#pragma once

#include "../lstm_table.hpp"
#include "vector_avx512.hpp"

#if IMU2MUSIC_X86
namespace imu2music::inline v0::kernels {

namespace avx512 {
IMU2MUSIC_TARGET_AVX512_BEGIN

// The sum of both maps of one gate.
[[gnu::always_inline]] inline __m512 lstm_gate(const float* x, const float* h, __mmask16 lanes) {
  return _mm512_add_ps(_mm512_maskz_loadu_ps(lanes, x), _mm512_maskz_loadu_ps(lanes, h));
}

inline void lstm_step(const Context&, const float* gates_x, const float* gates_h, const float* c,
                      float* h_out, float* c_out, std::int64_t b_begin, std::int64_t b_end, std::int64_t H) {
  for (std::int64_t b = b_begin; b < b_end; ++b)
    for (std::int64_t n = 0; n < H; n += 16) {
      const __mmask16 lanes = lanes_left(H - n);
      const float* x = gates_x + b * 4 * H + n;
      const float* h = gates_h + b * 4 * H + n;
      const __m512 input = sigmoid(lstm_gate(x, h, lanes)), forget = sigmoid(lstm_gate(x + H, h + H, lanes));
      const __m512 candidate = hyperbolic_tangent(lstm_gate(x + 2 * H, h + 2 * H, lanes));
      const __m512 output = sigmoid(lstm_gate(x + 3 * H, h + 3 * H, lanes));
      const __m512 cell = _mm512_fmadd_ps(forget, _mm512_maskz_loadu_ps(lanes, c + b * H + n),
                                          _mm512_mul_ps(input, candidate));
      _mm512_mask_storeu_ps(c_out + b * H + n, lanes, cell);
      _mm512_mask_storeu_ps(h_out + b * H + n, lanes, _mm512_mul_ps(output, hyperbolic_tangent(cell)));
    }
}

IMU2MUSIC_TARGET_END
}  // namespace avx512

inline void install(Avx512Tag, LstmKernels<float>& table) { table.step = &avx512::lstm_step; }

}  // namespace imu2music::inline v0::kernels
#endif
