// The one file to compile for programs that include imu2music/engine.hpp.
#include <imu2music/engine_implementation.hpp>
