// The gradient of the pointwise part of an LSTM step, AVX2 and FMA.
#pragma once

#include "../lstm_backward_table.hpp"
#include "vector_avx2.hpp"

#if IMU2MUSIC_X86
namespace imu2music::inline v0::kernels {

namespace avx2 {
IMU2MUSIC_TARGET_AVX2_BEGIN

// Eight cells, or those of `lanes`, from unit n of row b on.
[[gnu::always_inline]] inline void lstm_backward_cells(const LstmBackwardArguments<float>& a, std::int64_t b,
                                                       std::int64_t n, __m256i lanes, const bool all) {
  const std::int64_t H = a.H, cell = b * H + n;
  const float* x = a.gates_x + b * 4 * H + n;
  const float* h = a.gates_h + b * 4 * H + n;
  float* dgates = a.dgates + b * 4 * H + n;
  const __m256 one = _mm256_set1_ps(1.0f), zero = _mm256_setzero_ps();
  const __m256 i = sigmoid(_mm256_add_ps(load_lanes(x, lanes, all), load_lanes(h, lanes, all)));
  const __m256 f = sigmoid(_mm256_add_ps(load_lanes(x + H, lanes, all), load_lanes(h + H, lanes, all)));
  const __m256 g =
      hyperbolic_tangent(_mm256_add_ps(load_lanes(x + 2 * H, lanes, all), load_lanes(h + 2 * H, lanes, all)));
  const __m256 o =
      sigmoid(_mm256_add_ps(load_lanes(x + 3 * H, lanes, all), load_lanes(h + 3 * H, lanes, all)));
  const __m256 c = load_lanes(a.c + cell, lanes, all);
  const __m256 t = hyperbolic_tangent(_mm256_fmadd_ps(f, c, _mm256_mul_ps(i, g)));
  const __m256 dh = a.dh != nullptr ? load_lanes(a.dh + cell, lanes, all) : zero;
  const __m256 dc_out = a.dc_out != nullptr ? load_lanes(a.dc_out + cell, lanes, all) : zero;
  const __m256 dcell = _mm256_fmadd_ps(_mm256_mul_ps(dh, o), _mm256_fnmadd_ps(t, t, one), dc_out);
  store_lanes(dgates, lanes, _mm256_mul_ps(_mm256_mul_ps(dcell, g), _mm256_mul_ps(i, _mm256_sub_ps(one, i))),
              all);
  store_lanes(dgates + H, lanes,
              _mm256_mul_ps(_mm256_mul_ps(dcell, c), _mm256_mul_ps(f, _mm256_sub_ps(one, f))), all);
  store_lanes(dgates + 2 * H, lanes, _mm256_mul_ps(_mm256_mul_ps(dcell, i), _mm256_fnmadd_ps(g, g, one)),
              all);
  store_lanes(dgates + 3 * H, lanes,
              _mm256_mul_ps(_mm256_mul_ps(dh, t), _mm256_mul_ps(o, _mm256_sub_ps(one, o))), all);
  store_lanes(a.dc + cell, lanes, _mm256_mul_ps(dcell, f), all);
}

inline void lstm_backward_step(const Context&, const LstmBackwardArguments<float>& a, std::int64_t b_begin,
                               std::int64_t b_end) {
  const std::int64_t full = a.H & ~std::int64_t{7};
  const __m256i tail = tail_mask(a.H - full);
  for (std::int64_t b = b_begin; b < b_end; ++b) {
    for (std::int64_t n = 0; n < full; n += 8) lstm_backward_cells(a, b, n, tail, true);
    if (full < a.H) lstm_backward_cells(a, b, full, tail, false);
  }
}

IMU2MUSIC_TARGET_END
}  // namespace avx2

inline void install(Avx2Tag, LstmBackwardKernels<float>& table) { table.step = &avx2::lstm_backward_step; }

}  // namespace imu2music::inline v0::kernels
#endif
