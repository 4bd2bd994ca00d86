#include "measure.hpp"

#include <algorithm>
#include <chrono>
#include <cpu/dispatch.hpp>
#include <fstream>
#include <imu2music/core/buffer.hpp>
#include <imu2music/core/parallel.hpp>
#include <memory>
#include <numeric>
#include <thread>

namespace bench {

namespace {

using imu2music::kernels::cpu_has;
using imu2music::kernels::Isa;
using Clock = std::chrono::steady_clock;

double since(Clock::time_point begin) { return std::chrono::duration<double>(Clock::now() - begin).count(); }

// Each takes `rounds` rounds of 16 independent multiply-adds on whole vectors, or sums `bytes`, a multiple of
// 1024, read `rounds` times.
#if IMU2MUSIC_X86
IMU2MUSIC_TARGET_AVX512_BEGIN
float multiply_adds_avx512(std::int64_t rounds) {
  __m512 sums[16];
  const __m512 a = _mm512_set1_ps(0.999f), b = _mm512_set1_ps(1e-3f);
  IMU2MUSIC_UNROLL
  for (int i = 0; i < 16; ++i) sums[i] = _mm512_set1_ps(static_cast<float>(i));
  for (std::int64_t round = 0; round < rounds; ++round) {
    IMU2MUSIC_UNROLL
    for (int i = 0; i < 16; ++i) sums[i] = _mm512_fmadd_ps(sums[i], a, b);
  }
  for (int i = 1; i < 16; ++i) sums[0] = _mm512_add_ps(sums[0], sums[i]);
  return _mm512_reduce_add_ps(sums[0]);
}
float read_avx512(const char* data, std::int64_t bytes, std::int64_t rounds) {
  __m512i sums[8];
  IMU2MUSIC_UNROLL
  for (int i = 0; i < 8; ++i) sums[i] = _mm512_setzero_si512();
  for (std::int64_t round = 0; round < rounds; ++round)
    for (std::int64_t at = 0; at < bytes; at += 512) {
      IMU2MUSIC_UNROLL
      for (int i = 0; i < 8; ++i) sums[i] = _mm512_xor_si512(sums[i], _mm512_loadu_si512(data + at + 64 * i));
    }
  for (int i = 1; i < 8; ++i) sums[0] = _mm512_xor_si512(sums[0], sums[i]);
  return static_cast<float>(_mm512_reduce_add_epi32(sums[0]));
}
IMU2MUSIC_TARGET_END
IMU2MUSIC_TARGET_AVX2_BEGIN
float multiply_adds_avx2(std::int64_t rounds) {
  __m256 sums[12];
  const __m256 a = _mm256_set1_ps(0.999f), b = _mm256_set1_ps(1e-3f);
  IMU2MUSIC_UNROLL
  for (int i = 0; i < 12; ++i) sums[i] = _mm256_set1_ps(static_cast<float>(i));
  for (std::int64_t round = 0; round < rounds; ++round) {
    IMU2MUSIC_UNROLL
    for (int i = 0; i < 12; ++i) sums[i] = _mm256_fmadd_ps(sums[i], a, b);
  }
  for (int i = 1; i < 12; ++i) sums[0] = _mm256_add_ps(sums[0], sums[i]);
  return _mm256_cvtss_f32(sums[0]);
}
float read_avx2(const char* data, std::int64_t bytes, std::int64_t rounds) {
  __m256i sums[8];
  IMU2MUSIC_UNROLL
  for (int i = 0; i < 8; ++i) sums[i] = _mm256_setzero_si256();
  for (std::int64_t round = 0; round < rounds; ++round)
    for (std::int64_t at = 0; at < bytes; at += 256) {
      IMU2MUSIC_UNROLL
      for (int i = 0; i < 8; ++i)
        sums[i] = _mm256_xor_si256(sums[i],
                                   _mm256_loadu_si256(reinterpret_cast<const __m256i*>(data + at + 32 * i)));
    }
  for (int i = 1; i < 8; ++i) sums[0] = _mm256_xor_si256(sums[0], sums[i]);
  return static_cast<float>(_mm256_extract_epi32(sums[0], 0));
}
IMU2MUSIC_TARGET_END
#endif

volatile float kept;  // what the loops above work for

double multiply_adds(std::int64_t rounds) {  // floating-point operations done
#if IMU2MUSIC_X86
  if (cpu_has(Isa::avx512)) {
    kept = multiply_adds_avx512(rounds);
    return 2.0 * 16 * 16 * static_cast<double>(rounds);
  }
  if (cpu_has(Isa::avx2)) {
    kept = multiply_adds_avx2(rounds);
    return 2.0 * 12 * 8 * static_cast<double>(rounds);
  }
#endif
  float sums[4] = {1, 2, 3, 4};
  for (std::int64_t round = 0; round < rounds; ++round)
    for (float& sum : sums) sum = sum * 0.999f + 1e-3f;
  kept = sums[0] + sums[1] + sums[2] + sums[3];
  return 8.0 * static_cast<double>(rounds);
}

void read(const char* data, std::int64_t bytes, std::int64_t rounds) {
#if IMU2MUSIC_X86
  if (cpu_has(Isa::avx512)) {
    kept = read_avx512(data, bytes, rounds);
    return;
  }
  if (cpu_has(Isa::avx2)) {
    kept = read_avx2(data, bytes, rounds);
    return;
  }
#endif
  std::int64_t sum = 0;
  for (std::int64_t round = 0; round < rounds; ++round)
    for (std::int64_t at = 0; at < bytes; at += 8) sum += *reinterpret_cast<const std::int64_t*>(data + at);
  kept = static_cast<float>(sum);
}

// The best of several runs of body(thread) on so many threads at once, in seconds.
template <class Body>
double best_seconds(int threads, const Body& body) {
  double best = 1e30;
  for (int run = 0; run < 7; ++run) {
    const auto begin = Clock::now();
    imu2music::parallel_for(threads, threads, 1, [&](std::int64_t first, std::int64_t last) {
      for (std::int64_t thread = first; thread < last; ++thread) body(thread);
    });
    best = std::min(best, since(begin));
  }
  return best;
}

std::string line_after(const std::string& path, const std::string& key) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);)
    if (line.compare(0, key.size(), key) == 0) return line.substr(line.find(':') + 2);
  return "unknown";
}

std::string first_line(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line.empty() ? "unknown" : line;
}

}  // namespace

std::vector<double> repetitions(const std::function<void()>& work, double seconds, int least) {
  const auto begin = Clock::now();
  std::int64_t calls = 1;
  std::vector<double> times;
  for (;;) {
    const auto started = Clock::now();
    for (std::int64_t call = 0; call < calls; ++call) work();
    const double elapsed = since(started);
    if (elapsed < 5e-4 && times.empty()) {
      calls = elapsed < 5e-5 ? calls * 8 : calls * 2;
      continue;
    }
    times.push_back(elapsed / static_cast<double>(calls));
    if (since(begin) >= seconds && (static_cast<int>(times.size()) >= least || elapsed > 0.5)) return times;
  }
}

Spread spread(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const auto at = [&](double share) {
    return values[static_cast<std::size_t>(share * static_cast<double>(values.size() - 1) + 0.5)];
  };
  return {at(0.25), at(0.5), at(0.75)};
}

double multiply_add_ceiling(int threads) {
  constexpr std::int64_t rounds = 2'000'000;
  std::vector<double> done(static_cast<std::size_t>(threads));
  const double best = best_seconds(
      threads, [&](std::int64_t thread) { done[static_cast<std::size_t>(thread)] = multiply_adds(rounds); });
  return std::accumulate(done.begin(), done.end(), 0.0) / best * 1e-9;
}

double read_ceiling(int threads, std::int64_t bytes) {
  const std::int64_t each = std::max<std::int64_t>(bytes / threads / 1024, 1) * 1024;
  const std::int64_t rounds = std::max<std::int64_t>(1, (std::int64_t{1} << 28) / each / threads);
  std::vector<std::shared_ptr<std::byte>> data(static_cast<std::size_t>(threads));
  for (auto& part : data) {  // in huge pages, as the engine's weights are
    part = imu2music::allocate_buffer(static_cast<std::size_t>(each));
    std::fill_n(part.get(), each, std::byte{1});
  }
  const double best = best_seconds(threads, [&](std::int64_t thread) {
    read(reinterpret_cast<const char*>(data[static_cast<std::size_t>(thread)].get()), each, rounds);
  });
  return static_cast<double>(each) * threads * static_cast<double>(rounds) / best * 1e-9;
}

std::string machine() {
  const std::string caches = "/sys/devices/system/cpu/cpu0/cache/index";
  return line_after("/proc/cpuinfo", "model name") + ", " +
         std::to_string(std::thread::hardware_concurrency()) + " threads, caches " +
         first_line(caches + "0/size") + " L1, " + first_line(caches + "2/size") + " L2, " +
         first_line(caches + "3/size") + " L3; " +
         imu2music::kernels::name_of(imu2music::kernels::active_isa()) +
#ifdef __clang__
         "; clang " + __clang_version__;
#else
         "; g++ " + __VERSION__;
#endif
}

}  // namespace bench
