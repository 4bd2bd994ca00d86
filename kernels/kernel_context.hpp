// What a kernel may know of the place it runs in. Kernels work on raw pointers over a range of rows,
// single-threaded; the caller splits the range among threads and gives scratch memory as an argument where a
// kernel wants some.
#pragma once

namespace imu2music::inline v0::kernels {

enum class Backend { cpu, cuda };

// What a device may round the operands of large products of matrices to; sums and results are float32. Tensor
// cores want tf32 (10 bits of fraction) or bf16 (7 bits).
enum class MatrixPrecision { float32, tf32, bf16 };

struct Context {
  Backend backend = Backend::cpu;
  int threads = 1;          // how many threads the caller may use; no result depends on it
  void* stream = nullptr;   // opaque: the device's queue
  void* handles = nullptr;  // opaque: the device's library handles
  MatrixPrecision matrices = MatrixPrecision::float32;
};

}  // namespace imu2music::inline v0::kernels
