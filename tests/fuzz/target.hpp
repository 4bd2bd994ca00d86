// What each fuzz target is made with: tests/fuzz/<loader>_fuzz.cpp defines one Target, and the build finds it
// by the file's name.
//
//   void read(std::string_view bytes) { parse_midi(bytes, fuzz::name); }
//   const fuzz::Target target("midi", read);
//
// A target reads the bytes as a user's file would be read and checks what it can of the result with
// require(). The harness (harness.cpp) holds it to this, whatever the bytes:
//   - it returns, or throws InputError with one line of printable text that names the file;
//   - what it allocates at any time stays within ten times the bytes and the target's own constant.
// All else, a crash, another exception, a failed require(), ends the program.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace fuzz {

// The file name to read bytes under, which messages have to name.
inline constexpr const char* name = "fuzzed";

struct Target {
  // `constant`: bytes that reading may allocate whatever the size of the input.
  Target(const char* loader, void (*read_bytes)(std::string_view),
         std::size_t constant = std::size_t{1} << 20);

  const char* loader;
  void (*read)(std::string_view);
  std::size_t constant;
};

// Ends the program, saying `what`, unless `condition` holds.
void require(bool condition, const char* what);

// From here to the end of this input, work is done on what was read: it may allocate `bytes` in all.
void allow(std::size_t bytes);

// Says that the name which messages give to this input is another one.
void named(const std::string& path);

// What the harness offers to a main program.
const Target* find(std::string_view loader);
const Target& only();  // the one that is linked in

// Whether the target read the bytes; false where it refused them as it should. `constant` as in Target, which
// the target's own is where it is greater.
bool accepts(const Target& target, std::string_view bytes, std::size_t constant = 0);

// Reads inputs of megabytes that try to make much of little. The number of those that end otherwise than
// expected.
int run_large_inputs();

}  // namespace fuzz
