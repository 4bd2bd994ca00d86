// Eigen's product beside our own affine map, compiled for this machine's own instructions.
#pragma once

#include <cstdint>

namespace bench {

// y = x W^T + b, x: [M, K], W: [N, K], y: [M, N], on `threads` threads.
void eigen_linear(const float* x, const float* W, const float* b, float* y, std::int64_t M, std::int64_t K,
                  std::int64_t N, int threads);

}  // namespace bench
