#include "sound_libraries.hpp"

#include <dlfcn.h>

#include <string>

#include "imu2music/core/error.hpp"

namespace {

// Never unloaded: the libraries keep threads and static state of their own.
class Library {
 public:
  Library(const char* name, const char* package)
      : package_(package), handle_(dlopen(name, RTLD_NOW | RTLD_LOCAL)) {
    if (handle_ == nullptr) fail(std::string(name) + " cannot be loaded");
  }

  template <class Function>
  void find(Function& function, const char* name) const {
    function = reinterpret_cast<Function>(dlsym(handle_, name));
    if (function == nullptr) fail(std::string("the installed library has no ") + name);
  }

 private:
  [[noreturn]] void fail(const std::string& what) const {
    const char* reason = dlerror();
    throw imu2music::DeviceError("no sound: " + what +
                                 (reason == nullptr ? "" : " (" + std::string(reason) + ")") +
                                 "; apt-get install " + package_);
  }

  const char* package_;
  void* handle_;
};

FluidSynth load_fluidsynth() {
  const Library library(IMU2MUSIC_FLUIDSYNTH, "libfluidsynth3");
  FluidSynth f{};
  library.find(f.fluid_set_log_function, "fluid_set_log_function");
  library.find(f.new_fluid_settings, "new_fluid_settings");
  library.find(f.delete_fluid_settings, "delete_fluid_settings");
  library.find(f.fluid_settings_setnum, "fluid_settings_setnum");
  library.find(f.fluid_settings_setint, "fluid_settings_setint");
  library.find(f.new_fluid_synth, "new_fluid_synth");
  library.find(f.delete_fluid_synth, "delete_fluid_synth");
  library.find(f.fluid_synth_sfload, "fluid_synth_sfload");
  library.find(f.fluid_synth_program_select, "fluid_synth_program_select");
  library.find(f.fluid_synth_noteon, "fluid_synth_noteon");
  library.find(f.fluid_synth_noteoff, "fluid_synth_noteoff");
  library.find(f.fluid_synth_write_float, "fluid_synth_write_float");
  library.find(f.fluid_version_str, "fluid_version_str");
  return f;
}

SoundFile load_soundfile() {
  const Library library(IMU2MUSIC_SNDFILE, "libsndfile1");
  SoundFile f{};
  library.find(f.sf_open_fd, "sf_open_fd");
  library.find(f.sf_close, "sf_close");
  library.find(f.sf_strerror, "sf_strerror");
  library.find(f.sf_writef_short, "sf_writef_short");
  library.find(f.sf_version_string, "sf_version_string");
  return f;
}

}  // namespace

const FluidSynth& fluidsynth() {
  static const FluidSynth library = load_fluidsynth();
  return library;
}

const SoundFile& soundfile() {
  static const SoundFile library = load_soundfile();
  return library;
}
