// Compiled with OpenMP where the compiler has it; see other.cpp.
#include <cstdio>
#include "everything.hpp"

int other();

int main() {
  using namespace imu2music;
  const auto model = init_model(ModelConfig{}, 1);
  Session session(model, 2);
  session.start_from_motion(Tensor<float>({1, 2, 3, 150}));
  std::printf("%zu logits, OpenMP here: %d, there: %d\n", session.step(0).size(), has_openmp, other());
  return other() == 10 && parse_training_config("{}", "here") == TrainingConfig{} ? 0 : 1;
}
