// imu2music: music from the motion of a musician's body. One file a command; see command.hpp.
//
// Exit status: 0 done; 1 the command failed or its answer is no; 2 bad input or wrong use. A failure prints
// one line.
#include <algorithm>
#include <csignal>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <new>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "command.hpp"
#include "imu2music/core/device.hpp"
#include "imu2music/core/error.hpp"
#include "imu2music/core/version.hpp"
#include "imu2music/io/text.hpp"
#include "signals.hpp"

namespace {

int fail(int status, std::string message) {
  for (char& c : message)
    if (c == '\n' || c == '\r') c = ' ';
  std::fprintf(stderr, "imu2music: %s\n", message.c_str());
  return status;
}

bool has_command(const CLI::App& program, const std::string& name) {
  for (const CLI::App* command : program.get_subcommands([](const CLI::App*) { return true; }))
    if (command->get_name() == name) return true;
  return false;
}

// The arguments in the order that CLI11 wants, the last one first. Where several may stand, it would take
// '[live]' for a list.
std::vector<std::string> reversed_arguments(int argc, char** argv) {
  std::vector<std::string> arguments;
  for (int i = argc - 1; i > 0; --i) {
    std::string& argument = arguments.emplace_back(argv[i]);
    if (argument.starts_with('[') && argument.ends_with(']')) argument.insert(0, "./");
  }
  return arguments;
}

// Of a command's arguments one that it does not know, or an option in the place of another's value. CLI11
// says first what is missing, which a misspelt option leaves missing. Empty: there is none.
std::string strange_argument(const CLI::App& command) {
  std::vector<std::string> names;
  for (const CLI::Option* option : command.get_options()) {
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
    for (const std::string& name : option->get_snames()) names.push_back("-" + name);
  }
  for (const CLI::Option* option : command.get_options())
    for (const std::string& value : option->results())
      if (std::find(names.begin(), names.end(), value) != names.end())
        return option->get_name() + " wants a value, not the option " + value;
  std::vector<std::string> rest = command.remaining();
  std::erase(rest, "--");
  if (rest.empty()) return {};
  const bool is_option = rest.front().size() > 1 && rest.front().front() == '-';
  if (!is_option) return imu2music::in_quotes(rest.front()) + " was not expected";
  const std::string name = rest.front().substr(0, rest.front().find('='));
  std::vector<std::string_view> known;
  for (const std::string& one : names)
    if (one.size() > 2) known.push_back(one);
  const std::string_view nearest = imu2music::nearest_name(name, known);
  const bool is_near = name.size() > 2 && imu2music::may_be_misspelt(name, nearest);
  return "there is no option " + imu2music::in_quotes(name) +
         (is_near ? ", but " + std::string(nearest) : "");
}

}  // namespace

int main(int argc, char** argv) {
  for (int signal : {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE})
    handle_unless_ignored(signal, &end_by_signal);
  std::signal(SIGXFSZ,
              SIG_IGN);  // a file that may grow no more is told as an error, and its temporary removed
  CLI::App program("Music from the motion of a musician's body.", "imu2music");
  program.set_version_flag("--version", std::string("imu2music ") + imu2music::version());
  program.require_subcommand(1);
  program.footer("IMU2MUSIC_FORCE_ISA=scalar|avx2|avx512 forces the kernels' instruction set.");
  add_generate_command(program);
  add_simulate_command(program);
  add_init_command(program);
  add_convert_command(program);
  add_verify_command(program);
  add_train_command(program);
  add_plot_command(program);
  add_prepare_command(program);
  add_features_command(program);
  add_inspect_command(program);
  add_evaluate_command(program);
  add_info_command(program);
  try {
    imu2music::active_isa();  // a forced instruction set that this processor lacks is told before any work
    if (argc > 1 && argv[1][0] != '-' && !has_command(program, argv[1]))
      return fail(2, std::string("there is no command '") + argv[1] + "'; see imu2music --help");
    try {
      program.parse(reversed_arguments(argc, argv));
    } catch (const CLI::Success& wish) {  // --help, --version
      std::ostringstream text;
      const int status = program.exit(wish, text, text);
      print_text(text.str());
      return status;
    }
    return 0;
  } catch (const CLI::ParseError& error) {
    const std::string command = argc > 1 && has_command(program, argv[1]) ? std::string(argv[1]) + " " : "";
    const std::string strange =
        command.empty() ? std::string() : strange_argument(*program.get_subcommand(argv[1]));
    return fail(
        2, (strange.empty() ? std::string(error.what()) : strange) + "; see imu2music " + command + "--help");
  } catch (const CommandFailure& failure) {
    return fail(1, failure.what());
  } catch (const imu2music::InputError& error) {
    return fail(2, error.what());
  } catch (const imu2music::DeviceError& error) {
    return fail(2, error.what());
  } catch (const std::filesystem::filesystem_error& error) {
    return fail(2, error.path1().string() + ": cannot be used (" + error.code().message() +
                       "); check the path, or choose another");
  } catch (const std::bad_alloc&) {
    return fail(1, "out of memory");
  } catch (const std::exception& error) {
    return fail(1, error.what());
  }
}
