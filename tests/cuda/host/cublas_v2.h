// The host harness: the few calls of cuBLAS that the kernels make, by plain loops (cuda_runtime.h).
#pragma once

#include <algorithm>

#include "cuda_bf16.h"

using cublasHandle_t = struct CublasHost*;
enum cublasStatus_t { CUBLAS_STATUS_SUCCESS = 0, CUBLAS_STATUS_INVALID_VALUE = 7 };
enum cublasOperation_t { CUBLAS_OP_N, CUBLAS_OP_T };
enum cublasComputeType_t { CUBLAS_COMPUTE_32F, CUBLAS_COMPUTE_32F_FAST_TF32, CUBLAS_COMPUTE_32F_PEDANTIC };
enum cudaDataType_t { CUDA_R_32F = 0, CUDA_R_16BF = 14 };
enum cublasGemmAlgo_t { CUBLAS_GEMM_DEFAULT = -1 };
enum cublasMath_t { CUBLAS_DEFAULT_MATH, CUBLAS_PEDANTIC_MATH };

inline cublasStatus_t cublasCreate(cublasHandle_t* handle) {
  *handle = reinterpret_cast<cublasHandle_t>(handle);  // any that is not null
  return CUBLAS_STATUS_SUCCESS;
}
inline cublasStatus_t cublasDestroy(cublasHandle_t) { return CUBLAS_STATUS_SUCCESS; }
inline cublasStatus_t cublasSetStream(cublasHandle_t, cudaStream_t) { return CUBLAS_STATUS_SUCCESS; }
inline cublasStatus_t cublasSetWorkspace(cublasHandle_t, void*, std::size_t) { return CUBLAS_STATUS_SUCCESS; }
inline const char* cublasGetStatusName(cublasStatus_t status) {
  return status == CUBLAS_STATUS_SUCCESS ? "CUBLAS_STATUS_SUCCESS" : "CUBLAS_STATUS_INVALID_VALUE";
}

// C = alpha op(A) op(B) + beta C, column-major, as cuBLAS has it.
inline cublasStatus_t cublasGemmEx(cublasHandle_t, cublasOperation_t transpose_a, cublasOperation_t transpose_b, int m, int n,
                                   int k, const void* alpha, const void* A, cudaDataType_t type_a, int lda, const void* B,
                                   cudaDataType_t type_b, int ldb, const void* beta, void* C, cudaDataType_t type_c, int ldc,
                                   cublasComputeType_t, cublasGemmAlgo_t) {
  if (lda < std::max(1, transpose_a == CUBLAS_OP_N ? m : k) || ldb < std::max(1, transpose_b == CUBLAS_OP_N ? k : n) ||
      ldc < std::max(1, m))
    return CUBLAS_STATUS_INVALID_VALUE;
  cuda_host::DeviceAccess access;
  const auto at = [](const void* p, cudaDataType_t type, std::size_t i) {
    return type == CUDA_R_16BF ? __bfloat162float(static_cast<const __nv_bfloat16*>(p)[i])
                               : static_cast<const float*>(p)[i];
  };
  const float a = *static_cast<const float*>(alpha), b = *static_cast<const float*>(beta);
  for (int j = 0; j < n; ++j)
    for (int i = 0; i < m; ++i) {
      float sum = 0;
      for (int l = 0; l < k; ++l)
        sum += at(A, type_a, transpose_a == CUBLAS_OP_N ? std::size_t(l) * lda + i : std::size_t(i) * lda + l) *
               at(B, type_b, transpose_b == CUBLAS_OP_N ? std::size_t(j) * ldb + l : std::size_t(l) * ldb + j);
      const std::size_t to = std::size_t(j) * ldc + i;
      const float value = a * sum + (b == 0 ? 0 : b * at(C, type_c, to));
      if (type_c == CUDA_R_16BF)
        static_cast<__nv_bfloat16*>(C)[to] = __float2bfloat16(value);
      else
        static_cast<float*>(C)[to] = value;
    }
  return CUBLAS_STATUS_SUCCESS;
}
