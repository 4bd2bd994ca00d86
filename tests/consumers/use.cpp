// What every consumer project builds: an untrained model decodes one window, and a file survives a round trip.
#include <cstdio>
#include <imu2music/imu2music.hpp>

int main() {
  using namespace imu2music;
  ModelConfig config;
  config.d_model = 16;
  config.heads = 2;
  config.max_sequence = 8;
  auto model = init_model(config, 1);
  save_model(model, "consumer.safetensors");
  const auto loaded = load_model("consumer.safetensors");
  Session session(loaded);
  session.start_from_motion(Tensor<float>({1, 2, 3, 150}));
  const auto logits = session.step(EventVocabulary1::sos);
  std::printf("imu2music %s, %s, %zu logits\n", version(), kernels::name_of(active_isa()), logits.size());
  return logits.size() == 243 ? 0 : 1;
}
