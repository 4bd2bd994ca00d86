// How the next token is chosen, as numbers: the sampler itself, and what each of them does, stand in
// sampler.hpp. Apart from it, so that a program that only hands them on need not compile a sampler.
#pragma once

#include <cstdint>

namespace imu2music::inline v0 {

// As it stands: the model's own distribution, nothing narrowed.
struct SamplerOptions {
  bool greedy = false;
  double temperature = 1;  // > 0; ignored where greedy
  std::uint64_t seed = 0;
  std::int64_t top_k = 0;               // ids kept; 0: all
  double top_p = 1;                     // share of the probability kept, in (0, 1]; 1: all
  double min_p = 0;                     // least probability kept, relative to the largest, in [0, 1]; 0: all
  double repetition_penalty = 1;        // > 0; above 1 makes ids chosen lately less likely, 1: off
  std::int64_t repetition_window = 32;  // how many of the last ids count as lately, at least 1
};

}  // namespace imu2music::inline v0
