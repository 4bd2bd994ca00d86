// Every exception that the library throws.
//
//   Error          the root: catch this one to catch all
//   ├ ShapeError   an operand's shape does not fit: a mistake of the calling code
//   ├ InputError   a file or a value from outside is wrong: `path: what is wrong; what would be right`
//   ├ SystemError  the operating system refused a call that ought to succeed: the call, its code, the place
//   └ DeviceError  the processor, the device or the build lacks what was asked for, memory included
//
// Beside these, std::bad_alloc where memory is not to be had; and, with a device only: a call of its
// libraries that fails in the middle of work is a kernels::DeviceFailure (kernels/device_runtime.hpp), a
// std::runtime_error with the call, its code and the place.
//
// Library headers never print, abort or exit.
#pragma once

#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <string>

namespace imu2music::inline v0 {

class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

class ShapeError : public Error {
 public:
  using Error::Error;
};

class InputError : public Error {
 public:
  // One line: "<path>: <fault>; <remedy>".
  InputError(const std::string& path, const std::string& fault, const std::string& remedy)
      : Error(path + ": " + fault + "; " + remedy) {}
  explicit InputError(const std::string& message) : Error(message) {}
};

class SystemError : public Error {
 public:
  // `code` is an errno value; the message names call, place and code.
  SystemError(const std::string& call, const std::string& place, int code)
      : Error(place + ": " + call + " failed: " + std::strerror(code) + " (errno " + std::to_string(code) +
              ")"),
        code_(code) {}
  int code() const { return code_; }

 private:
  int code_;
};

class DeviceError : public Error {
 public:
  using Error::Error;
};

}  // namespace imu2music::inline v0
