// Instruction sets of the CPU columns: the tags that select a column, and the regions that hold their code.
//
// A header-only library cannot ask its users for compiler flags, so vector code stands between
// IMU2MUSIC_TARGET_<ISA>_BEGIN and IMU2MUSIC_TARGET_END, in a namespace named for the instruction set, and is
// reached through the kernel tables only. Inside a region: no #include, no template, no lambda, nothing from
// std::. Otherwise the linker could pick a weak symbol that holds AVX-512 code for a program that runs on an
// older processor.
#pragma once

#if defined(__x86_64__) && (defined(__GNUC__) || defined(__clang__))
#define IMU2MUSIC_X86 1
#include <immintrin.h>
#else
#define IMU2MUSIC_X86 0
#endif

// clang-format off
#if defined(__clang__)
#define IMU2MUSIC_TARGET_AVX2_BEGIN \
  _Pragma("clang attribute push(__attribute__((target(\"avx2,fma\"))), apply_to = function)")
#define IMU2MUSIC_TARGET_AVX512_BEGIN \
  _Pragma("clang attribute push(__attribute__((target(\"avx512f,avx512bw,avx512dq,avx512vl,avx2,fma\"))), apply_to = function)")
#define IMU2MUSIC_TARGET_END _Pragma("clang attribute pop")
#define IMU2MUSIC_UNROLL _Pragma("clang loop unroll(full)")  // before a loop whose accumulators must stand in registers
#else
// GCC 12 takes the deliberately undefined lanes inside its own intrinsics for a mistake of ours.
#define IMU2MUSIC_TARGET_BEGIN \
  _Pragma("GCC diagnostic push") _Pragma("GCC diagnostic ignored \"-Wmaybe-uninitialized\"") \
  _Pragma("GCC diagnostic ignored \"-Wuninitialized\"") _Pragma("GCC push_options")
#ifdef __OPTIMIZE__  // whichever level a program is built with, kernels get the highest
#define IMU2MUSIC_OPTIMIZE _Pragma("GCC optimize(\"O3\")")
#else
#define IMU2MUSIC_OPTIMIZE
#endif
#define IMU2MUSIC_TARGET_AVX2_BEGIN IMU2MUSIC_TARGET_BEGIN IMU2MUSIC_OPTIMIZE _Pragma("GCC target(\"avx2,fma\")")
#define IMU2MUSIC_TARGET_AVX512_BEGIN \
  IMU2MUSIC_TARGET_BEGIN IMU2MUSIC_OPTIMIZE _Pragma("GCC target(\"avx512f,avx512bw,avx512dq,avx512vl,avx2,fma\")")
#define IMU2MUSIC_TARGET_END _Pragma("GCC pop_options") _Pragma("GCC diagnostic pop")
#define IMU2MUSIC_UNROLL _Pragma("GCC unroll 16")
#endif
// clang-format on

namespace imu2music::inline v0::kernels {

enum class Isa { scalar, avx2, avx512 };  // each holds the ones before it

constexpr const char* name_of(Isa isa) {
  return isa == Isa::scalar ? "scalar" : isa == Isa::avx2 ? "avx2" : "avx512";
}

// A column installs itself with `install(tag, table)`: the scalar one fills every entry, the others overwrite
// what they have.
struct ScalarTag {};
struct Avx2Tag {};
struct Avx512Tag {};

}  // namespace imu2music::inline v0::kernels
