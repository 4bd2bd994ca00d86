// The root of every exception that the library throws (include/imu2music/core/error.hpp has the tree), here
// because a device's calls fail in kernels' own code.
#pragma once

#include <stdexcept>

namespace imu2music::inline v0 {

class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

namespace kernels {

// A call of a device's libraries failed; the message names the call, its code and the place.
class DeviceFailure : public Error {
 public:
  using Error::Error;
};

}  // namespace kernels

}  // namespace imu2music::inline v0
