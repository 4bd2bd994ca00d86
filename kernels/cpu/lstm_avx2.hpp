// The pointwise part of an LSTM step, AVX2 and FMA.
#pragma once

#include "../lstm_table.hpp"
#include "vector_avx2.hpp"

#if IMU2MUSIC_X86
namespace imu2music::inline v0::kernels {

namespace avx2 {
IMU2MUSIC_TARGET_AVX2_BEGIN

// Eight cells, or those of `lanes`; all pointers at the first of them.
[[gnu::always_inline]] inline void lstm_cells(const float* x, const float* h, const float* c, float* h_out,
                                              float* c_out, std::int64_t H, __m256i lanes, const bool all) {
  const __m256 input = sigmoid(_mm256_add_ps(load_lanes(x, lanes, all), load_lanes(h, lanes, all)));
  const __m256 forget = sigmoid(_mm256_add_ps(load_lanes(x + H, lanes, all), load_lanes(h + H, lanes, all)));
  const __m256 candidate =
      hyperbolic_tangent(_mm256_add_ps(load_lanes(x + 2 * H, lanes, all), load_lanes(h + 2 * H, lanes, all)));
  const __m256 output =
      sigmoid(_mm256_add_ps(load_lanes(x + 3 * H, lanes, all), load_lanes(h + 3 * H, lanes, all)));
  const __m256 cell = _mm256_fmadd_ps(forget, load_lanes(c, lanes, all), _mm256_mul_ps(input, candidate));
  store_lanes(c_out, lanes, cell, all);
  store_lanes(h_out, lanes, _mm256_mul_ps(output, hyperbolic_tangent(cell)), all);
}

inline void lstm_step(const Context&, const float* gates_x, const float* gates_h, const float* c,
                      float* h_out, float* c_out, std::int64_t b_begin, std::int64_t b_end, std::int64_t H) {
  const std::int64_t full = H & ~std::int64_t{7};
  const __m256i tail = tail_mask(H - full);
  for (std::int64_t b = b_begin; b < b_end; ++b) {
    const float* x = gates_x + b * 4 * H;
    const float* h = gates_h + b * 4 * H;
    const std::int64_t row = b * H;
    for (std::int64_t n = 0; n < full; n += 8)
      lstm_cells(x + n, h + n, c + row + n, h_out + row + n, c_out + row + n, H, tail, true);
    if (full < H)
      lstm_cells(x + full, h + full, c + row + full, h_out + row + full, c_out + row + full, H, tail, false);
  }
}

IMU2MUSIC_TARGET_END
}  // namespace avx2

inline void install(Avx2Tag, LstmKernels<float>& table) { table.step = &avx2::lstm_step; }

}  // namespace imu2music::inline v0::kernels
#endif
