// FluidSynth and libsndfile, loaded when sound is first asked for. They bring some sixty libraries with them,
// and linking those at every start takes longer than to write the music. LGPL 2.1 or later, both.
#pragma once

#include <fluidsynth.h>
#include <sndfile.h>

// Every member is the library's function of that name.
struct FluidSynth {
  decltype(&::fluid_set_log_function) fluid_set_log_function;
  decltype(&::new_fluid_settings) new_fluid_settings;
  decltype(&::delete_fluid_settings) delete_fluid_settings;
  decltype(&::fluid_settings_setnum) fluid_settings_setnum;
  decltype(&::fluid_settings_setint) fluid_settings_setint;
  decltype(&::new_fluid_synth) new_fluid_synth;
  decltype(&::delete_fluid_synth) delete_fluid_synth;
  decltype(&::fluid_synth_sfload) fluid_synth_sfload;
  decltype(&::fluid_synth_program_select) fluid_synth_program_select;
  decltype(&::fluid_synth_noteon) fluid_synth_noteon;
  decltype(&::fluid_synth_noteoff) fluid_synth_noteoff;
  decltype(&::fluid_synth_write_float) fluid_synth_write_float;
  decltype(&::fluid_version_str) fluid_version_str;
};

struct SoundFile {
  decltype(&::sf_open_fd) sf_open_fd;
  decltype(&::sf_close) sf_close;
  decltype(&::sf_strerror) sf_strerror;
  decltype(&::sf_writef_short) sf_writef_short;
  decltype(&::sf_version_string) sf_version_string;
};

// Throw DeviceError where the library is not installed or lacks a function.
const FluidSynth& fluidsynth();
const SoundFile& soundfile();
