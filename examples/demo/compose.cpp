// Writes the demo's score: `compose OUT.mid`.
//
// A piece of our own for violin alone, in G major, 4/4 at 84 quarters a minute: eight bars, 22.9 s, 48 notes,
// in first position on all four strings. It is a period. The antecedent (bars 1–4) opens with the chord of G
// in détaché quavers that cross from the D and A strings down to the G string and back, goes on through IV to
// vi, where it reaches up to the E string, and halts on the dominant. The consequent (bars 5–8) takes up the
// same opening, moves IV–ii from the top, presses on in quavers over the cadential six-four and the dominant
// seventh, and closes on the open G string. The bow has long notes where the harmony rests (bars 2, 4, 6, 8)
// and short ones where it moves.
#include <cstdio>
#include <exception>
#include <string>
#include <vector>

#include "imu2music/core/error.hpp"
#include "imu2music/music/midi_file.hpp"

namespace {

// Names by string, open first; first position reaches a fourth above each.
// clang-format off
enum Pitch {
  G3 = 55, A3 = 57, B3 = 59, C4 = 60,  // G string
  D4 = 62, E4 = 64, Fs4 = 66, G4 = 67,  // D string
  A4 = 69, B4 = 71, C5 = 72, D5 = 74,  // A string
  E5 = 76, Fs5 = 78, G5 = 79, A5 = 81, B5 = 83,  // E string
};
// clang-format on

struct Written {
  Pitch pitch;
  double beats;  // quarters
  int velocity;
};

constexpr double quaver = 0.5, quarter = 1, dotted_quarter = 1.5, half = 2;

// clang-format off
const std::vector<Written> piece{
    // 1: I
    {G4, quaver, 78}, {B4, quaver, 72}, {D5, quaver, 80}, {B4, quaver, 72},
    {G4, quaver, 76}, {D4, quaver, 70}, {B3, quaver, 72}, {D4, quaver, 70},
    // 2: IV
    {C5, dotted_quarter, 84}, {B4, quaver, 74}, {A4, quarter, 80}, {E4, quarter, 74},
    // 3: vi, the first ascent to the E string
    {B4, quaver, 82}, {E5, quaver, 86}, {G5, quaver, 94}, {E5, quaver, 84},
    {B4, quaver, 82}, {G4, quaver, 76}, {E4, quaver, 74}, {G4, quaver, 74},
    // 4: half cadence on V
    {A4, quaver, 82}, {G4, quaver, 74}, {Fs4, quaver, 76}, {A4, quaver, 76}, {D5, half, 80},
    // 5: I, as bar 1, a shade louder
    {G4, quaver, 82}, {B4, quaver, 76}, {D5, quaver, 86}, {B4, quaver, 76},
    {G4, quaver, 80}, {D4, quaver, 74}, {B3, quaver, 76}, {D4, quaver, 74},
    // 6: IV–ii, from the top
    {E5, dotted_quarter, 94}, {D5, quaver, 84}, {C5, quarter, 88}, {A4, quarter, 82},
    // 7: cadential six-four, dominant seventh
    {B4, quaver, 90}, {D5, quaver, 92}, {G5, quaver, 104}, {D5, quaver, 90},
    {C5, quaver, 94}, {A4, quaver, 84}, {Fs4, quaver, 86}, {A4, quaver, 80},
    // 8: I
    {G4, quarter, 86}, {B3, quarter, 76}, {G3, half, 82},
};
// clang-format on

std::vector<imu2music::Note> perform(double beats_per_minute) {
  const double beat_s = 60 / beats_per_minute;
  std::vector<imu2music::Note> notes;
  double beat = 0;
  for (const Written& note : piece) {
    // Détaché: the bow turns between the notes, and short ones lose more of their value to it.
    double sounding = note.beats * (note.beats < 1 ? 0.90 : 0.96);
    notes.push_back({note.pitch, note.velocity, beat * beat_s, (beat + sounding) * beat_s});
    beat += note.beats;
  }
  return notes;
}

}  // namespace

int main(int argument_count, char** arguments) {
  if (argument_count != 2 || arguments[1][0] == '-') {
    std::fputs("usage: compose OUT.mid\n", stderr);
    return 2;
  }
  try {
    imu2music::MidiWriteOptions options;
    options.program = 40;
    options.tempo_bpm = 84;
    options.track_name = "Period in G, for violin alone";
    options.text = "The demo's score, written by examples/demo/compose.cpp of imu2music";
    imu2music::write_midi_file(arguments[1], perform(options.tempo_bpm), options);
  } catch (const imu2music::InputError& error) {
    std::fprintf(stderr, "compose: %s\n", error.what());
    return 2;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "compose: %s\n", error.what());
    return 1;
  }
  return 0;
}
