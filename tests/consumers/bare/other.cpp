// A second translation unit that includes everything, to be compiled without OpenMP and linked with one that has it.
#include <imu2music/imu2music.hpp>

int other() {
  using namespace imu2music;
  int sum = 0;
  parallel_for(2, 10, 1, [&](std::int64_t begin, std::int64_t end) { sum += static_cast<int>(end - begin); });
  return sum + (has_openmp ? 100 : 0);
}
