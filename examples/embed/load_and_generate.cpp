// Weights and a recording in, a MIDI file out: load_and_generate WEIGHTS RECORDING OUT.mid
#include <cstdio>
#include <imu2music/imu2music.hpp>

int main(int argc, char** argv) try {
  using namespace imu2music;
  if (argc != 4) return std::puts("load_and_generate WEIGHTS RECORDING OUT.mid"), 2;
  const auto model = load_model(argv[1]);
  Session session(model);
  ComposeOptions options;
  options.sampler.seed = 7;
  const Composition music = compose(session, read_recording(argv[2]), options);
  write_midi_file(argv[3], music.notes);
  std::printf("%zu notes\n", music.notes.size());
} catch (const imu2music::Error& error) {
  return std::fprintf(stderr, "%s\n", error.what()), 1;
}
