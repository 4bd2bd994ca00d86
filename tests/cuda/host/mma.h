// The host harness: a scalar stand-in for tensor-core fragments (cuda_runtime.h). Every lane holds the whole tile and
// computes it for itself; what a lane owns on a device is not modelled, so fragments' elements may be scaled alike
// but not told apart, as the toolkit demands too.
#pragma once

#include "cuda_bf16.h"

namespace nvcuda::wmma {

struct matrix_a {};
struct matrix_b {};
struct accumulator {};
struct row_major {};
struct col_major {};
enum layout_t { mem_row_major, mem_col_major };

template <class Use, int M, int N, int K>
constexpr int rows = std::is_same_v<Use, matrix_b> ? K : M;
template <class Use, int M, int N, int K>
constexpr int columns = std::is_same_v<Use, matrix_a> ? K : N;

template <class Use, int M, int N, int K, class T, class Layout = void>
struct fragment {
  static constexpr int num_elements = rows<Use, M, N, K> * columns<Use, M, N, K>;
  T x[num_elements];  // row-major
};

template <class Fragment, class T>
void fill_fragment(Fragment& f, T value) {
  for (auto& x : f.x) x = value;
}

template <class Use, int M, int N, int K, class T, class Layout>
void load_matrix_sync(fragment<Use, M, N, K, T, Layout>& f, const T* from, unsigned stride) {
  __syncwarp();
  constexpr int R = rows<Use, M, N, K>, C = columns<Use, M, N, K>;
  for (int r = 0; r < R; ++r)
    for (int c = 0; c < C; ++c)
      f.x[r * C + c] = from[std::is_same_v<Layout, col_major> ? c * stride + r : r * stride + c];
}

template <int M, int N, int K, class T>
void load_matrix_sync(fragment<accumulator, M, N, K, T>& f, const T* from, unsigned stride, layout_t layout) {
  __syncwarp();
  for (int r = 0; r < M; ++r)
    for (int c = 0; c < N; ++c) f.x[r * N + c] = from[layout == mem_col_major ? c * stride + r : r * stride + c];
}

template <int M, int N, int K, class T>
void store_matrix_sync(T* to, const fragment<accumulator, M, N, K, T>& f, unsigned stride, layout_t layout) {
  if (cuda_host::lane() == 0)
    for (int r = 0; r < M; ++r)
      for (int c = 0; c < N; ++c) to[layout == mem_col_major ? c * stride + r : r * stride + c] = f.x[r * N + c];
  __syncwarp();
}

inline float as_float(float x) { return x; }
inline float as_float(__nv_bfloat16 x) { return __bfloat162float(x); }

template <int M, int N, int K, class T, class A, class B>
void mma_sync(fragment<accumulator, M, N, K, float>& d, const fragment<matrix_a, M, N, K, T, A>& a,
              const fragment<matrix_b, M, N, K, T, B>& b, const fragment<accumulator, M, N, K, float>& c) {
  float sum[M * N];
  for (int m = 0; m < M; ++m)
    for (int n = 0; n < N; ++n) {
      sum[m * N + n] = c.x[m * N + n];
      for (int k = 0; k < K; ++k) sum[m * N + n] += as_float(a.x[m * K + k]) * as_float(b.x[k * N + n]);
    }
  for (int i = 0; i < M * N; ++i) d.x[i] = sum[i];
}

}  // namespace nvcuda::wmma
