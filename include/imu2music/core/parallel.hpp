// The one place where threads are made.
//
// The inline namespace is named by whether this translation unit was compiled with OpenMP, so files built
// with and without it can be linked into one program and keep one definition each.
#pragma once

#include <algorithm>
#include <cstdint>
#include <exception>

#ifdef _OPENMP
#include <omp.h>
#endif

namespace imu2music::inline v0 {
#ifdef _OPENMP
inline namespace with_openmp {
constexpr bool has_openmp = true;
#else
inline namespace without_openmp {
constexpr bool has_openmp = false;
#endif

// Calls body(begin, end) for parts that cover 0..count once, on at most `threads` threads, no part smaller
// than `grain` unless it is the only one. The parts' number depends on `threads`; what body writes must not.
// An exception in any part reaches the caller.
template <class Body>
void parallel_for(int threads, std::int64_t count, std::int64_t grain, const Body& body) {
  if (count <= 0) return;
  const std::int64_t parts = std::min<std::int64_t>(threads, count / std::max<std::int64_t>(grain, 1));
#ifdef _OPENMP
  if (parts > 1) {
    std::exception_ptr failure;
#pragma omp parallel for schedule(static, 1) num_threads(static_cast <int>(parts))
    for (std::int64_t part = 0; part < parts; ++part) {
      try {
        body(count * part / parts, count * (part + 1) / parts);
      } catch (...) {
#pragma omp critical(imu2music_parallel_failure)
        failure = std::current_exception();
      }
    }
    if (failure) std::rethrow_exception(failure);
    return;
  }
#endif
  (void)parts;
  body(std::int64_t{0}, count);
}

// How many threads this machine offers.
inline int available_threads() {
#ifdef _OPENMP
  return omp_get_num_procs();
#else
  return 1;
#endif
}

}  // inline namespace with_openmp / without_openmp
}  // namespace imu2music::inline v0
