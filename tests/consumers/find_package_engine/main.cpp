// The installed engine makes music of frames and steps a session, in a file that includes its header alone.
#include <cstdio>
#include <imu2music/engine.hpp>

void write_weights(const char* path);

int main() {
  using namespace imu2music;
  write_weights("consumer.safetensors");
  const Engine engine("consumer.safetensors");
  const std::vector<float> frames(static_cast<std::size_t>(300 * engine.description().frame_size));
  const Music music = engine.generate(frames, 0, {.fill_windows = true});
  EngineSession session(engine);
  session.start({frames.data(), frames.size() / 2});
  const auto logits = session.step(engine.description().sos);
  std::printf("%zu notes from %lld windows, %zu logits\n", music.notes.size(),
              static_cast<long long>(music.windows), logits.size());
  return music.windows == 2 && logits.size() == 243 ? 0 : 1;
}
