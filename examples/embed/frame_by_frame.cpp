// Frames fed one by one, music after every six seconds of them: frame_by_frame WEIGHTS < FRAMES
// A frame is six numbers: rotation, gyro and acceleration feature of two armbands, 25 a second.
#include <array>
#include <cstdio>
#include <imu2music/imu2music.hpp>

int main(int argc, char** argv) try {
  using namespace imu2music;
  if (argc != 2) return std::puts("frame_by_frame WEIGHTS < FRAMES"), 2;
  const auto model = load_model(argv[1]);
  Session session(model);
  Sampler<float> sampler(model.config.vocabulary, {.temperature = 0.9, .seed = 1});
  EventDecoder1 decoder(256);
  Tensor<float> window({1, 2, 3, 150});
  std::array<float, 6> frame;
  for (std::int64_t n = 0;; ++n) {
    for (float& value : frame)
      if (std::scanf("%f", &value) != 1) return 0;
    for (std::int64_t c = 0; c < 6; ++c) window[c * 150 + n % 150] = frame[static_cast<std::size_t>(c)];
    if (n % 150 != 149) continue;
    session.start_from_motion(window);
    decoder.reset(static_cast<double>(n - 149) / 25);
    for (std::int64_t id = EventVocabulary1::sos; session.position() < session.capacity() && !decoder.ended();)
      decoder.push(static_cast<int>(id = sampler.choose(session.context(), session.step(id).data(), nullptr)));
    for (const Note& note : decoder.finish()) std::printf("%.3f s  %s\n", note.start, pitch_name(note.pitch).c_str());
  }
} catch (const imu2music::Error& error) {
  return std::fprintf(stderr, "%s\n", error.what()), 1;
}
