// Frames fed one by one, music after every window of them: frame_by_frame WEIGHTS < FRAMES
// A frame is what EngineDescription::frame lists: with weights/default.safetensors six numbers, acceleration
// (m/s²) and angular velocity (rad/s) of one sensor, 50 frames a second. This is linked as compiled_engine.
#include <cstdint>
#include <cstdio>
#include <imu2music/engine.hpp>
#include <vector>

int main(int argc, char** argv) try {
  using namespace imu2music;
  if (argc != 2) return std::puts("frame_by_frame WEIGHTS < FRAMES"), 2;
  const Engine engine(argv[1]);
  const EngineDescription& model = engine.description();
  const auto values = static_cast<std::size_t>(model.window_frames * model.frame_size);
  std::vector<float> window;
  std::uint64_t windows = 0;
  for (bool more = true; more;) {
    float value = 0;
    if ((more = std::scanf("%f", &value) == 1)) window.push_back(value);
    if (window.empty() || (more && window.size() < values)) continue;
    const double start_s = double(windows) * double(model.window_frames) / model.rate_hz;
    const Music music = engine.generate(window, model.rate_hz, {.sampler = {.seed = windows++}});
    for (const Note& note : music.notes) std::printf("%.3f s  %d\n", start_s + note.start, int(note.pitch));
    window.clear();
  }
  return std::feof(stdin) ? 0 : (std::fputs("FRAMES holds what is no number\n", stderr), 1);
} catch (const imu2music::Error& error) {
  return std::fprintf(stderr, "%s\n", error.what()), 1;
}
