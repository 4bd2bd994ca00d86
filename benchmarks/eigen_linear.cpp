#include "eigen_linear.hpp"

#include <Eigen/Core>

#ifdef _OPENMP
#include <omp.h>
#endif

void bench::eigen_linear(const float* x, const float* W, const float* b, float* y, std::int64_t M,
                         std::int64_t K, std::int64_t N, int threads) {
#ifdef _OPENMP
  omp_set_num_threads(threads);
#endif
  Eigen::setNbThreads(threads);
  using Matrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  Eigen::Map<Matrix> result(y, M, N);
  result.noalias() = Eigen::Map<const Matrix>(x, M, K) * Eigen::Map<const Matrix>(W, N, K).transpose();
  result.rowwise() += Eigen::Map<const Eigen::RowVectorXf>(b, N);
}
