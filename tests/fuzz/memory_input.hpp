// The bytes of an input as a file that has a path, for loaders that map their files.
#pragma once

#include <string>
#include <string_view>

#include "../io/memory_file.hpp"
#include "target.hpp"

namespace fuzz {

inline std::string as_file(std::string_view bytes) {
  static test::MemoryFile file;
  file.replace(bytes);
  named(file.path());
  return file.path();
}

}  // namespace fuzz
