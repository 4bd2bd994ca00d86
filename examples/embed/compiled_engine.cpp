// Weights and a recording in, a MIDI file out, from a file that compiles in a moment: the library stands in
// imu2music::engine, which is linked. compiled_engine WEIGHTS RECORDING OUT.mid
#include <cstdio>
#include <imu2music/engine.hpp>

int main(int argc, char** argv) try {
  using namespace imu2music;
  if (argc != 4) return std::puts("compiled_engine WEIGHTS RECORDING OUT.mid"), 2;
  const Engine engine(argv[1]);
  const Music music = engine.generate(argv[2], {.sampler = {.seed = 7}});
  write_music(argv[3], music);
  std::printf("%zu notes\n", music.notes.size());
} catch (const imu2music::Error& error) {
  return std::fprintf(stderr, "%s\n", error.what()), 1;
}
