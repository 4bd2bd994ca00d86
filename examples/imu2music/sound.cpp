#include "sound.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <vector>

#include "imu2music/core/error.hpp"
#include "imu2music/io/atomic_file.hpp"
#include "imu2music/music/notes.hpp"

#ifdef IMU2MUSIC_WITH_SOUND
#include <cerrno>
#include <cstring>

#include "sound_libraries.hpp"
#endif

using imu2music::InputError;

std::string find_soundfont(const std::string& chosen) {
  auto is_file = [](const std::string& path) {
    std::error_code ignored;
    return std::filesystem::is_regular_file(path, ignored);
  };
  if (!chosen.empty()) {
    if (!is_file(chosen)) throw InputError(chosen, "is no soundfont file", "name an .sf2 or .sf3 file");
    return chosen;
  }
  if (const char* named = std::getenv("IMU2MUSIC_SOUNDFONT"); named != nullptr && *named != '\0') {
    if (!is_file(named))
      throw InputError(named, "is no soundfont file, but IMU2MUSIC_SOUNDFONT names it",
                       "set it to an .sf2 or .sf3 file");
    return named;
  }
  for (const char* packaged : {"/usr/share/sounds/sf3/FluidR3Mono_GM.sf3",
                               "/usr/share/sounds/sf3/default-GM.sf3", "/usr/share/sounds/sf2/FluidR3_GM.sf2",
                               "/usr/share/sounds/sf2/default-GM.sf2", "/usr/share/sounds/sf2/TimGM6mb.sf2"})
    if (is_file(packaged)) return packaged;
  throw InputError(
      "/usr/share/sounds", "no soundfont is installed",
      "apt-get install fluidr3mono-gm-soundfont, or set IMU2MUSIC_SOUNDFONT to an .sf2 or .sf3 file");
}

#ifndef IMU2MUSIC_WITH_SOUND

bool sound_is_built_in() { return false; }

std::string check_sound(const SoundOptions&) {
  throw imu2music::DeviceError(
      "this build has no sound; install libfluidsynth-dev and libsndfile1-dev and configure with "
      "-DIMU2MUSIC_WITH_SOUND=ON");
}

void render_wav(imu2music::AtomicFile&, std::span<const imu2music::Note>, const SoundOptions& options) {
  check_sound(options);
}

#else

namespace {

using imu2music::GridNote;
using imu2music::Note;
using imu2music::SystemError;

constexpr double peak_level = 0.89125093813374556;  // −1 dBFS: 10^(−1/20)
constexpr float silence = 1e-6f;                    // the reverberation of nothing stays below
constexpr int channel = 0;
constexpr int block_frames = 1024;

// Sends FluidSynth's messages here and not to the terminal, and keeps the last error for ours.
class CaughtLog {
 public:
  CaughtLog() { install(this); }
  ~CaughtLog() { install(nullptr); }
  CaughtLog(const CaughtLog&) = delete;
  CaughtLog& operator=(const CaughtLog&) = delete;
  // " (…)", or nothing.
  std::string reason() const { return last_error_.empty() ? "" : " (" + last_error_ + ")"; }

 private:
  static void install(CaughtLog* log) {
    for (int level = 0; level < LAST_LOG_LEVEL; ++level)
      fluidsynth().fluid_set_log_function(level, take, log);
  }
  static void take(int level, const char* message, void* log) {
    if (log == nullptr || level > FLUID_ERR) return;
    std::string text = message;
    for (char& c : text)
      if (static_cast<unsigned char>(c) < 0x20) c = ' ';
    static_cast<CaughtLog*>(log)->last_error_ = text;
  }
  std::string last_error_;
};

struct SettingsDeleter {
  void operator()(fluid_settings_t* settings) const { fluidsynth().delete_fluid_settings(settings); }
};
struct SynthDeleter {
  void operator()(fluid_synth_t* synth) const { fluidsynth().delete_fluid_synth(synth); }
};
struct FileDeleter {
  void operator()(std::FILE* file) const { std::fclose(file); }
};
struct SoundFileDeleter {
  void operator()(SNDFILE* file) const { soundfile().sf_close(file); }
};

struct KeyEvent {
  std::int64_t frame;
  bool on;
  int pitch, velocity;
};

// A soundfont is a RIFF file of the kind sfbk with three lists: INFO, sdta, pdta. What is not, or is cut
// short, is refused here, before FluidSynth tries it as DLS with a library that complains on the terminal.
void check_soundfont(const std::string& path) {
  std::unique_ptr<std::FILE, FileDeleter> file(std::fopen(path.c_str(), "rb"));
  if (!file)
    throw InputError(path, std::string("cannot be read (") + std::strerror(errno) + ")", "make it readable");
  std::fseek(file.get(), 0, SEEK_END);
  const long size = std::ftell(file.get());
  // Kind of the chunk at `position` (of a LIST: what it lists), and its length without the 8 bytes of its
  // head.
  auto chunk = [&](long position, std::uint32_t& length) -> std::string {
    std::array<unsigned char, 12> head{};
    if (std::fseek(file.get(), position, SEEK_SET) != 0 || std::fread(head.data(), 1, 12, file.get()) != 12)
      return {};
    length = head[4] | static_cast<std::uint32_t>(head[5]) << 8 | static_cast<std::uint32_t>(head[6]) << 16 |
             static_cast<std::uint32_t>(head[7]) << 24;
    const std::string text(head.begin(), head.end());
    return text.substr(0, 4) + " " + text.substr(8);
  };
  std::uint32_t length = 0, next = 0;
  bool whole = chunk(0, length) == "RIFF sfbk" && length + 8L <= size;
  length = 0;
  long position = 12;
  for (const char* list : {"LIST INFO", "LIST sdta", "LIST pdta"}) {
    // An odd length is followed by a byte of padding, which the compressed soundfonts leave out.
    if (whole && length % 2 != 0 && chunk(position, next) != list) ++position;
    whole = whole && chunk(position, next) == list && position + 8L + next <= size;
    position += 8L + next;
    length = next;
  }
  if (!whole) throw InputError(path, "is no soundfont, or not all of one", "name an .sf2 or .sf3 file");
}

// With the instrument chosen.
struct Synthesiser {
  CaughtLog log;
  std::unique_ptr<fluid_settings_t, SettingsDeleter> settings;
  std::unique_ptr<fluid_synth_t, SynthDeleter> synth;

  Synthesiser(const std::string& soundfont, const SoundOptions& options);
};

Synthesiser::Synthesiser(const std::string& soundfont, const SoundOptions& options)
    : settings(fluidsynth().new_fluid_settings()) {
  if (!settings) throw imu2music::Error("FluidSynth: no settings" + log.reason());
  fluidsynth().fluid_settings_setnum(settings.get(), "synth.sample-rate", options.sample_rate);
  fluidsynth().fluid_settings_setnum(settings.get(), "synth.gain", 0.4);
  fluidsynth().fluid_settings_setint(settings.get(), "synth.polyphony", 256);
  fluidsynth().fluid_settings_setint(settings.get(), "synth.cpu-cores", 1);
  fluidsynth().fluid_settings_setint(settings.get(), "synth.threadsafe-api", 0);
  fluidsynth().fluid_settings_setint(settings.get(), "synth.lock-memory", 0);
  // Only the samples of the one instrument are read and decoded: a second less for a compressed soundfont.
  fluidsynth().fluid_settings_setint(settings.get(), "synth.dynamic-sample-loading", 1);
  fluidsynth().fluid_settings_setint(settings.get(), "synth.chorus.active",
                                     0);  // it would detune a solo instrument
  fluidsynth().fluid_settings_setint(settings.get(), "synth.reverb.active", 1);
  synth.reset(fluidsynth().new_fluid_synth(settings.get()));
  if (!synth) throw imu2music::Error("FluidSynth: no synthesiser" + log.reason());
  int font = fluidsynth().fluid_synth_sfload(synth.get(), soundfont.c_str(), /*reset_presets=*/0);
  if (font == FLUID_FAILED)
    throw InputError(soundfont, "cannot be read as a soundfont" + log.reason(), "name an .sf2 or .sf3 file");
  if (fluidsynth().fluid_synth_program_select(synth.get(), channel, font, /*bank=*/0, options.program) !=
      FLUID_OK)
    throw InputError(soundfont, "has no instrument " + std::to_string(options.program),
                     "choose another, or a soundfont with all of General MIDI");
}

// Plays `events` from the start with a synthesiser of its own and hands the sound on, block by block:
// consume(left, right, frames).
template <class Consume>
void play(const std::vector<KeyEvent>& events, std::int64_t frames, const std::string& soundfont,
          const SoundOptions& options, Consume&& consume) {
  const Synthesiser synthesiser(soundfont, options);
  fluid_synth_t* synth = synthesiser.synth.get();
  std::array<float, block_frames> left{}, right{};
  std::size_t next = 0;
  for (std::int64_t frame = 0; frame < frames;) {
    for (; next < events.size() && events[next].frame <= frame; ++next) {
      if (events[next].on)
        fluidsynth().fluid_synth_noteon(synth, channel, events[next].pitch, events[next].velocity);
      else
        fluidsynth().fluid_synth_noteoff(synth, channel, events[next].pitch);
    }
    std::int64_t until = std::min(frames, frame + block_frames);
    if (next < events.size()) until = std::min(until, events[next].frame);
    int count = static_cast<int>(until - frame);
    if (fluidsynth().fluid_synth_write_float(synth, count, left.data(), 0, 1, right.data(), 0, 1) != FLUID_OK)
      throw imu2music::Error("FluidSynth: it rendered nothing" + synthesiser.log.reason());
    consume(left.data(), right.data(), count);
    frame = until;
  }
}

}  // namespace

bool sound_is_built_in() { return true; }

std::string check_sound(const SoundOptions& options) {
  const std::string soundfont = find_soundfont(options.soundfont);
  check_soundfont(soundfont);
  soundfile();
  const Synthesiser synthesiser(soundfont, options);
  return soundfont;
}

void render_wav(imu2music::AtomicFile& target, std::span<const Note> notes, const SoundOptions& options) {
  if (options.program < 0 || options.program > 127)
    throw InputError("program " + std::to_string(options.program), "there is no such instrument",
                     "General MIDI has 0 to 127");
  if (options.sample_rate < 8000 || options.sample_rate > 96000)
    throw InputError("sample rate " + std::to_string(options.sample_rate), "it cannot be rendered",
                     "8000 to 96000 Hz can");
  const double rate = options.sample_rate;
  std::vector<GridNote> grid = imu2music::notes_on_grid(notes, rate);
  const double length_s = std::max(imu2music::end_of(notes) + options.tail_s, options.min_length_s);
  constexpr double most_bytes = 4294967295.0 - 4096;  // sizes in a WAV header have 32 bits
  if (!(options.tail_s >= 0) || !(options.min_length_s >= 0) || !(length_s * rate * 4 < most_bytes))
    throw InputError(
        target.path(), "the sound would last " + std::to_string(length_s) + " s",
        "a WAV file holds up to " + std::to_string(static_cast<int>(most_bytes / rate / 4)) + " s");
  const std::int64_t frames = std::llround(length_s * rate);

  const std::string soundfont = find_soundfont(options.soundfont);
  check_soundfont(soundfont);

  std::vector<KeyEvent> events;
  events.reserve(2 * grid.size());
  for (const GridNote& note : grid) {
    events.push_back({note.start, true, note.pitch, note.velocity});
    events.push_back({note.end, false, note.pitch, 0});
  }
  std::stable_sort(events.begin(), events.end(), [](const KeyEvent& a, const KeyEvent& b) {
    return a.frame != b.frame ? a.frame < b.frame : a.on < b.on;
  });

  float peak = 0;
  play(events, frames, soundfont, options, [&](const float* left, const float* right, int count) {
    for (int i = 0; i < count; ++i) peak = std::max({peak, std::abs(left[i]), std::abs(right[i])});
  });
  const double factor = peak > silence ? peak_level / peak : 1.0;

  // libsndfile returns to the header at the end, which a file that is only appended to cannot do: so it
  // writes to a nameless temporary, which is then copied.
  std::unique_ptr<std::FILE, FileDeleter> spool(std::tmpfile());
  if (!spool) throw SystemError("tmpfile", "temporary folder", errno);
  SF_INFO info{};
  info.samplerate = options.sample_rate;
  info.channels = 2;
  info.format = SF_FORMAT_WAV | SF_FORMAT_PCM_16;
  std::unique_ptr<SNDFILE, SoundFileDeleter> wav(
      soundfile().sf_open_fd(fileno(spool.get()), SFM_WRITE, &info, /*close_desc=*/SF_FALSE));
  if (!wav) throw imu2music::Error(std::string("libsndfile: ") + soundfile().sf_strerror(nullptr));

  const std::int64_t fade_frames = std::min<std::int64_t>(frames, options.sample_rate / 50);
  std::int64_t frame = 0;
  std::array<short, 2 * block_frames> samples{};
  play(events, frames, soundfont, options, [&](const float* left, const float* right, int count) {
    for (int i = 0; i < count; ++i, ++frame) {
      double scale =
          32767 * factor *
          std::min(1.0, double(frames - 1 - frame) / double(std::max<std::int64_t>(fade_frames, 1)));
      samples[static_cast<std::size_t>(2 * i)] = static_cast<short>(std::lrint(scale * left[i]));
      samples[static_cast<std::size_t>(2 * i + 1)] = static_cast<short>(std::lrint(scale * right[i]));
    }
    if (soundfile().sf_writef_short(wav.get(), samples.data(), count) != count)
      throw imu2music::Error(std::string("temporary folder: ") + soundfile().sf_strerror(wav.get()) +
                             "; free space there");
  });
  wav.reset();

  std::rewind(spool.get());
  std::array<char, 65536> bytes{};
  while (std::size_t count = std::fread(bytes.data(), 1, bytes.size(), spool.get()))
    target.write(bytes.data(), count);
  if (std::ferror(spool.get()) != 0) throw SystemError("fread", "temporary folder", errno);
}

#endif

void render_wav(const std::string& wav_path, std::span<const imu2music::Note> notes,
                const SoundOptions& options) {
  imu2music::AtomicFile target(wav_path);  // first, so that an unwritable path costs no rendering
  render_wav(target, notes, options);
  target.commit();
}
