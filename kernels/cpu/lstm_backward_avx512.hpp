// The gradient of the pointwise part of an LSTM step, AVX-512.
#pragma once

#include "../lstm_backward_table.hpp"
#include "lstm_avx512.hpp"

#if IMU2MUSIC_X86
namespace imu2music::inline v0::kernels {

namespace avx512 {
IMU2MUSIC_TARGET_AVX512_BEGIN

inline void lstm_backward_step(const Context&, const LstmBackwardArguments<float>& a, std::int64_t b_begin,
                               std::int64_t b_end) {
  const std::int64_t H = a.H;
  const __m512 one = _mm512_set1_ps(1.0f), zero = _mm512_setzero_ps();
  for (std::int64_t b = b_begin; b < b_end; ++b)
    for (std::int64_t n = 0; n < H; n += 16) {
      const __mmask16 lanes = lanes_left(H - n);
      const std::int64_t cell = b * H + n;
      const float* x = a.gates_x + b * 4 * H + n;
      const float* h = a.gates_h + b * 4 * H + n;
      float* dgates = a.dgates + b * 4 * H + n;
      const __m512 i = sigmoid(lstm_gate(x, h, lanes)), f = sigmoid(lstm_gate(x + H, h + H, lanes));
      const __m512 g = hyperbolic_tangent(lstm_gate(x + 2 * H, h + 2 * H, lanes));
      const __m512 o = sigmoid(lstm_gate(x + 3 * H, h + 3 * H, lanes));
      const __m512 c = _mm512_maskz_loadu_ps(lanes, a.c + cell);
      const __m512 t = hyperbolic_tangent(_mm512_fmadd_ps(f, c, _mm512_mul_ps(i, g)));
      const __m512 dh = a.dh != nullptr ? _mm512_maskz_loadu_ps(lanes, a.dh + cell) : zero;
      const __m512 dc_out = a.dc_out != nullptr ? _mm512_maskz_loadu_ps(lanes, a.dc_out + cell) : zero;
      const __m512 dcell = _mm512_fmadd_ps(_mm512_mul_ps(dh, o), _mm512_fnmadd_ps(t, t, one), dc_out);
      _mm512_mask_storeu_ps(dgates, lanes,
                            _mm512_mul_ps(_mm512_mul_ps(dcell, g), _mm512_mul_ps(i, _mm512_sub_ps(one, i))));
      _mm512_mask_storeu_ps(dgates + H, lanes,
                            _mm512_mul_ps(_mm512_mul_ps(dcell, c), _mm512_mul_ps(f, _mm512_sub_ps(one, f))));
      _mm512_mask_storeu_ps(dgates + 2 * H, lanes,
                            _mm512_mul_ps(_mm512_mul_ps(dcell, i), _mm512_fnmadd_ps(g, g, one)));
      _mm512_mask_storeu_ps(dgates + 3 * H, lanes,
                            _mm512_mul_ps(_mm512_mul_ps(dh, t), _mm512_mul_ps(o, _mm512_sub_ps(one, o))));
      _mm512_mask_storeu_ps(a.dc + cell, lanes, _mm512_mul_ps(dcell, f));
    }
}

IMU2MUSIC_TARGET_END
}  // namespace avx512

inline void install(Avx512Tag, LstmBackwardKernels<float>& table) {
  table.step = &avx512::lstm_backward_step;
}

}  // namespace imu2music::inline v0::kernels
#endif
