// Picks the CPU column once, at first use: the widest instruction set that the processor has and the
// operating system saves, or the one that the environment variable IMU2MUSIC_FORCE_ISA = scalar | avx2 |
// avx512 names.
#pragma once

#include <cstdlib>
#include <stdexcept>
#include <string>

#include "isa.hpp"

namespace imu2music::inline v0::kernels {

// IMU2MUSIC_FORCE_ISA names no instruction set, or one that this processor lacks.
class IsaError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

inline bool cpu_has(Isa isa) {
#if IMU2MUSIC_X86
  // The compiler's run-time support reads CPUID and XGETBV, so it answers for processor and operating system.
  if (isa == Isa::avx512)
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
           __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  if (isa == Isa::avx2) return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
#endif
  return isa == Isa::scalar;
}

inline Isa widest_isa() {
  return cpu_has(Isa::avx512) ? Isa::avx512 : cpu_has(Isa::avx2) ? Isa::avx2 : Isa::scalar;
}

inline Isa choose_isa(const char* forced) {
  if (forced == nullptr || *forced == '\0') return widest_isa();
  for (Isa isa : {Isa::scalar, Isa::avx2, Isa::avx512}) {
    if (std::string(forced) != name_of(isa)) continue;
    if (!cpu_has(isa))
      throw IsaError(std::string("IMU2MUSIC_FORCE_ISA=") + forced + ": this processor has no " + forced +
                     "; the widest it has is " + name_of(widest_isa()));
    return isa;
  }
  throw IsaError(std::string("IMU2MUSIC_FORCE_ISA=") + forced +
                 ": no such instruction set; use scalar, avx2 or avx512");
}

// The column in use. Throws IsaError.
inline Isa active_isa() {
  static const Isa isa = choose_isa(std::getenv("IMU2MUSIC_FORCE_ISA"));
  return isa;
}

// The table of one operation up to `isa`: the scalar column, overwritten by what the wider ones have. Include
// the operation's `cpu/<op>.hpp`, which brings all its columns, so that every translation unit builds the
// same table.
template <class Table>
Table make_table(Isa isa) {
  Table table{};
  install(ScalarTag{}, table);
#if IMU2MUSIC_X86
  if constexpr (requires { install(Avx2Tag{}, table); })
    if (isa >= Isa::avx2) install(Avx2Tag{}, table);
  if constexpr (requires { install(Avx512Tag{}, table); })
    if (isa >= Isa::avx512) install(Avx512Tag{}, table);
#endif
  (void)isa;
  return table;
}

// The table in use on the CPU.
template <class Table>
const Table& cpu_table() {
  static const Table table = make_table<Table>(active_isa());
  return table;
}

}  // namespace imu2music::inline v0::kernels
