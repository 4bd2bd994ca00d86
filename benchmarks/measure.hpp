// Times of repeated work, and the ceilings of the machine that they are held against.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace bench {

// Seconds of one call of `work`, one figure a repetition: at least `least` repetitions, or one of half a
// second or longer, and more until `seconds` have gone by. A repetition makes so many calls that it lasts
// half a millisecond or longer.
std::vector<double> repetitions(const std::function<void()>& work, double seconds, int least = 3);

struct Spread {
  double low = 0, median = 0, high = 0;  // quartiles
};
Spread spread(std::vector<double> values);

// Multiply-adds that `threads` threads can do at best, in 10^9 floating-point operations a second (two each),
// with the widest vectors that the processor has.
double multiply_add_ceiling(int threads);

// How fast `threads` threads read `bytes` of memory over and over, 10^9 bytes a second.
double read_ceiling(int threads, std::int64_t bytes);

// Processor, threads, caches, compiler and instruction set, one line.
std::string machine();

}  // namespace bench
