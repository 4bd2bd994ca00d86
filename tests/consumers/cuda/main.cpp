// A program that links imu2music::cuda has its columns before main() begins, and works on a device where there is one.
#include <cstdio>
#include <imu2music/imu2music.hpp>

int main() {
  using namespace imu2music;
  const Device device = Device::cuda();  // throws where the columns were not linked in
  if (kernels::cuda_column<kernels::LinearKernels<float>> == nullptr) return 1;
  try {
    auto model = init_model(ModelConfig{}, 1);
    to_device(model, device);
    Session session(model);
    session.start_from_motion(Tensor<float>({1, 2, 3, 150}));
    std::printf("%zu logits of a device\n", session.step(EventVocabulary1::sos).size());
  } catch (const DeviceError& error) {
    std::printf("no device: %s\n", error.what());
  }
  return 0;
}
