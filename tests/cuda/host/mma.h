// The host harness: a scalar stand-in for tensor-core fragments (cuda_runtime.h). Of an accumulator a lane owns eight
// elements, as on a device, where it is not said which; so elements may be scaled alike but not told apart. Of an
// operand every lane holds the whole tile. A warp comes together before a fragment is loaded or stored and not after:
// who reads what others stored waits for them first, as on a device.
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
template <int M, int N, int K, class T>
struct fragment<accumulator, M, N, K, T, void> {
  static constexpr int num_elements = M * N / 32;
  T x[num_elements];  // lane * num_elements onwards of the rows one after the other
};

// Addresses and strides that a device refuses without a word.
template <class T>
void demand_alignment(const T* at, unsigned stride) {
  if (reinterpret_cast<std::uintptr_t>(at) % 32 != 0 || stride * sizeof(T) % 16 != 0)
    cuda_host::die("a fragment's memory begins at a multiple of 32 bytes and its rows at multiples of 16");
}

template <class Fragment, class T>
void fill_fragment(Fragment& f, T value) {
  for (auto& x : f.x) x = value;
}

template <class Use, int M, int N, int K, class T, class Layout>
void load_matrix_sync(fragment<Use, M, N, K, T, Layout>& f, const T* from, unsigned stride) {
  demand_alignment(from, stride);
  __syncwarp();
  constexpr int R = rows<Use, M, N, K>, C = columns<Use, M, N, K>;
  for (int r = 0; r < R; ++r)
    for (int c = 0; c < C; ++c)
      f.x[r * C + c] = from[std::is_same_v<Layout, col_major> ? c * stride + r : r * stride + c];
}

// Calls each(i, at) for the elements i that the lane owns, which stand at `at`.
template <int M, int N, class Each>
void for_owned(unsigned stride, layout_t layout, const Each& each) {
  for (unsigned i = 0; i < M * N / 32; ++i) {
    const unsigned e = cuda_host::lane() * (M * N / 32) + i, r = e / N, c = e % N;
    each(i, layout == mem_col_major ? c * stride + r : r * stride + c);
  }
}

template <int M, int N, int K, class T>
void load_matrix_sync(fragment<accumulator, M, N, K, T>& f, const T* from, unsigned stride, layout_t layout) {
  demand_alignment(from, stride);
  __syncwarp();
  for_owned<M, N>(stride, layout, [&](unsigned i, unsigned at) { f.x[i] = from[at]; });
}

template <int M, int N, int K, class T>
void store_matrix_sync(T* to, const fragment<accumulator, M, N, K, T>& f, unsigned stride, layout_t layout) {
  demand_alignment(to, stride);
  __syncwarp();
  for_owned<M, N>(stride, layout, [&](unsigned i, unsigned at) { to[at] = f.x[i]; });
}

inline float as_float(float x) { return x; }
inline float as_float(__nv_bfloat16 x) { return __bfloat162float(x); }

template <int M, int N, int K, class T, class A, class B>
void mma_sync(fragment<accumulator, M, N, K, float>& d, const fragment<matrix_a, M, N, K, T, A>& a,
              const fragment<matrix_b, M, N, K, T, B>& b, const fragment<accumulator, M, N, K, float>& c) {
  for_owned<M, N>(N, mem_row_major, [&](unsigned i, unsigned at) {
    float sum = c.x[i];
    for (unsigned k = 0; k < K; ++k) sum += as_float(a.x[at / N * K + k]) * as_float(b.x[k * N + at % N]);
    d.x[i] = sum;
  });
}

}  // namespace nvcuda::wmma
