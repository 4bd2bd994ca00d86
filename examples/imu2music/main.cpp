// imu2music: music from the motion of a musician's body. One file a command; see command.hpp.
//
// Exit status: 0 done; 1 the command failed or its answer is no; 2 bad input or wrong use. A failure prints
// one line.
#include <cstdio>
#include <exception>
#include <new>
#include <string>

#include "command.hpp"
#include "imu2music/core/device.hpp"
#include "imu2music/core/error.hpp"
#include "imu2music/core/version.hpp"

namespace {

int fail(int status, std::string message) {
  for (char& c : message)
    if (c == '\n' || c == '\r') c = ' ';
  std::fprintf(stderr, "imu2music: %s\n", message.c_str());
  return status;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App program("Music from the motion of a musician's body.", "imu2music");
  program.set_version_flag("--version", std::string("imu2music ") + imu2music::version());
  program.require_subcommand(1);
  program.footer("IMU2MUSIC_FORCE_ISA=scalar|avx2|avx512 forces the kernels' instruction set.");
  add_generate_command(program);
  add_simulate_command(program);
  add_init_command(program);
  add_convert_command(program);
  add_verify_command(program);
  add_features_command(program);
  add_inspect_command(program);
  add_info_command(program);
  try {
    imu2music::active_isa();  // a forced instruction set that this processor lacks is told before any work
    program.parse(argc, argv);
    return 0;
  } catch (const CLI::Success& wish) {  // --help, --version
    return program.exit(wish);
  } catch (const CLI::ParseError& error) {
    return fail(2, std::string(error.what()) + "; see imu2music --help");
  } catch (const CommandFailure& failure) {
    return fail(1, failure.what());
  } catch (const imu2music::InputError& error) {
    return fail(2, error.what());
  } catch (const imu2music::DeviceError& error) {
    return fail(2, error.what());
  } catch (const std::bad_alloc&) {
    return fail(1, "out of memory");
  } catch (const std::exception& error) {
    return fail(1, error.what());
  }
}
