// The version of the library. The inline namespace `v0` is its binary interface. It changes with each
// incompatible version, so two parts of a program that were built against different ones can be linked
// together.
#pragma once

#define IMU2MUSIC_VERSION_MAJOR 0
#define IMU2MUSIC_VERSION_MINOR 1
#define IMU2MUSIC_VERSION_PATCH 0
#define IMU2MUSIC_VERSION "0.1.0"

namespace imu2music::inline v0 {

constexpr const char* version() { return IMU2MUSIC_VERSION; }

}  // namespace imu2music::inline v0
