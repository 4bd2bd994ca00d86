// A second translation unit that includes everything, to be compiled without OpenMP and linked with one that
// has it.
#include "everything.hpp"

int other() {
  using namespace imu2music;
  int sum = 0;
  parallel_for(2, 10, 1, [&](std::int64_t begin, std::int64_t end) { sum += static_cast<int>(end - begin); });
  const bool same = parse_training_config("{}", "there") == TrainingConfig{};
  return sum + (has_openmp ? 100 : 0) + (same ? 0 : 1000);
}
