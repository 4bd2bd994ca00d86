// Session::step and the sampler promise not to allocate. This program traps malloc and its kin to prove it.
#include <doctest/doctest.h>

#include <atomic>
#include <cstddef>

#include "imu2music/generate/sampler.hpp"
#include "imu2music/generate/session.hpp"
#include "imu2music/models/weights.hpp"
#include "imu2music/music/event_vocabulary.hpp"
#include "random.hpp"

// A sanitizer has an allocator of its own, and only glibc names the functions behind malloc.
#if defined(__GLIBC__) && !defined(IMU2MUSIC_SANITIZED)
#define CAN_TRAP_MALLOC 1

namespace {
std::atomic<bool> trap{false};
std::atomic<long> trapped{0};
void note() {
  if (trap.load(std::memory_order_relaxed)) ++trapped;
}
}  // namespace

extern "C" {
void* __libc_malloc(std::size_t);
void* __libc_calloc(std::size_t, std::size_t);
void* __libc_realloc(void*, std::size_t);
void* __libc_memalign(std::size_t, std::size_t);
void __libc_free(void*);

void* malloc(std::size_t size) {
  note();
  return __libc_malloc(size);
}
void* calloc(std::size_t count, std::size_t size) {
  note();
  return __libc_calloc(count, size);
}
void* realloc(void* memory, std::size_t size) {
  note();
  return __libc_realloc(memory, size);
}
void* aligned_alloc(std::size_t alignment, std::size_t size) {
  note();
  return __libc_memalign(alignment, size);
}
int posix_memalign(void** memory, std::size_t alignment, std::size_t size) {
  note();
  *memory = __libc_memalign(alignment, size);
  return *memory == nullptr ? 12 : 0;
}
void free(void* memory) {
  if (memory != nullptr) note();
  __libc_free(memory);
}
}
#endif

using namespace imu2music;

TEST_CASE("a step allocates and frees nothing, sampling included") {
#ifndef CAN_TRAP_MALLOC
  MESSAGE("skipped: malloc cannot be trapped in this build");
#else
  ModelConfig armbands,
      in_time = parse_model_config(
          R"({"encoder":"temporal","vocabulary":332,"time_positions":true,"lookback_ms":900,"lookahead_ms":0})",
          "c");
  armbands.max_sequence = in_time.max_sequence = 64;
  for (const ModelConfig& config : {armbands, in_time}) {
    const auto model = init_model<float>(config, 1);
    const auto input =
        test::random_tensor<float>(config.encoder == "temporal" ? Shape{1, 6, 300} : Shape{1, 2, 3, 150}, 1);
    for (const SamplerOptions& options :
         {SamplerOptions{.greedy = true}, SamplerOptions{}, SamplerOptions{.top_k = 20},
          SamplerOptions{.top_p = 0.8}, SamplerOptions{.min_p = 0.1},
          SamplerOptions{.repetition_penalty = 1.2},
          SamplerOptions{.temperature = 0.8,
          .top_k = 40,
          .top_p = 0.95,
          .min_p = 0.02,
          .repetition_penalty = 1.1,
          .repetition_window = 16}}) {
      Session<float> session(model, 1);
      Sampler<float> sampler(config.vocabulary, options);
      session.start_from_motion(input);
      std::int64_t token = EventVocabulary1::sos;

      // The trap itself works.
      trapped = 0;
      trap = true;
      delete new volatile int(3);
      trap = false;
      CHECK(trapped == 2);

      trapped = 0;
      trap = true;
      for (int t = 0; t < 64; ++t)
        token = sampler.choose(session.context(), session.step(token).data(), nullptr);
      trap = false;
      CHECK(trapped == 0);

      // Nor does a second window, its start included.
      trapped = 0;
      trap = true;
      session.start_from_motion(input);
      for (int t = 0; t < 64; ++t)
        token = sampler.choose(session.context(), session.step(token).data(), nullptr);
      trap = false;
      CHECK(trapped == 0);
    }
  }
#endif
}
