// Compiled with OpenMP where the compiler has it; see other.cpp.
#include <cstdio>
#include <imu2music/imu2music.hpp>

int other();

int main() {
  const auto model = imu2music::init_model(imu2music::ModelConfig{}, 1);
  imu2music::Session session(model, 2);
  session.start_from_motion(imu2music::Tensor<float>({1, 2, 3, 150}));
  std::printf("%zu logits, OpenMP here: %d, there: %d\n", session.step(0).size(), imu2music::has_openmp, other());
  return other() == 10 ? 0 : 1;
}
