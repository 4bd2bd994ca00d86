# imu2music_sound: what the program's sound needs to compile and link, or nothing where IMU2MUSIC_WITH_SOUND is off.
# FluidSynth's own CMake package is not used: Debian's names the program `fluidsynth`, which the library does not need.
include_guard(GLOBAL)
add_library(imu2music_sound INTERFACE)
if(IMU2MUSIC_WITH_SOUND)
  find_path(FLUIDSYNTH_INCLUDE_DIR fluidsynth.h)
  find_library(FLUIDSYNTH_LIBRARY fluidsynth)
  find_path(SNDFILE_INCLUDE_DIR sndfile.h)
  find_library(SNDFILE_LIBRARY sndfile)
  mark_as_advanced(FLUIDSYNTH_INCLUDE_DIR FLUIDSYNTH_LIBRARY SNDFILE_INCLUDE_DIR SNDFILE_LIBRARY)
  if(NOT FLUIDSYNTH_INCLUDE_DIR OR NOT FLUIDSYNTH_LIBRARY OR NOT SNDFILE_INCLUDE_DIR OR NOT SNDFILE_LIBRARY)
    message(FATAL_ERROR "Sound needs FluidSynth and libsndfile (Debian: libfluidsynth-dev libsndfile1-dev); "
                        "-DIMU2MUSIC_WITH_SOUND=OFF builds without it")
  endif()
  target_include_directories(imu2music_sound SYSTEM INTERFACE ${FLUIDSYNTH_INCLUDE_DIR} ${SNDFILE_INCLUDE_DIR})
  target_link_libraries(imu2music_sound INTERFACE ${FLUIDSYNTH_LIBRARY} ${SNDFILE_LIBRARY})
  target_compile_definitions(imu2music_sound INTERFACE IMU2MUSIC_WITH_SOUND=1)
endif()
