// Sound of notes: FluidSynth plays them with a General MIDI soundfont, libsndfile writes 16-bit PCM stereo
// WAV.
//
// The sound lasts max(end of the last note + tail_s, min_length_s) seconds. FluidSynth takes events every 64
// samples (1.5 ms at 44.1 kHz). The whole is multiplied by one factor that brings its peak to −1 dBFS
// (silence stays silence), so loudness within a piece is kept and loudness between pieces is not; its last 20
// ms fade out. Samples are rounded without dither: the same notes, options, soundfont and libraries give the
// same bytes. Cost: two passes of the synthesiser, since the first one finds the peak; memory does not grow
// with the length.
#pragma once

#include <span>
#include <string>

#include "imu2music/io/atomic_file.hpp"
#include "imu2music/music/note.hpp"

struct SoundOptions {
  int program = 40;       // General MIDI, 0..127; 40 is the violin
  std::string soundfont;  // a file; empty: see find_soundfont
  int sample_rate = 44100;
  double tail_s = 1.5;  // after the last note, for its release and the room
  double min_length_s = 0;
};

// Whether this build can make sound at all.
bool sound_is_built_in();

// The soundfont that `render_wav` would take: `chosen`, or the environment's IMU2MUSIC_SOUNDFONT, or one that
// Debian's packages install. InputError where the named one is missing or none is installed.
std::string find_soundfont(const std::string& chosen);

// Throws what render_wav() would for want of the libraries, the soundfont or the instrument in it. Returns
// the soundfont.
std::string check_sound(const SoundOptions& options);

// Writes the sound into a file that the caller commits.
void render_wav(imu2music::AtomicFile& wav, std::span<const imu2music::Note> notes,
                const SoundOptions& options = {});

// Writes `wav_path`, whole or not at all. Errors: InputError for the path, the soundfont, a note or an
// option; DeviceError where this build has no sound.
void render_wav(const std::string& wav_path, std::span<const imu2music::Note> notes,
                const SoundOptions& options = {});
