// info: what this program is, what it runs on and what it was built with.
#include <zlib.h>

#include <memory>

#include <CLI/Version.hpp>

#include "command.hpp"
#include "imu2music/core/device.hpp"
#include "imu2music/core/parallel.hpp"
#include "imu2music/core/version.hpp"
#ifdef IMU2MUSIC_WITH_SOUND
#include "sound_libraries.hpp"
#endif

namespace {

void run_info(const CommonOptions& options) {
  using namespace imu2music;
  nlohmann::ordered_json isa_present = nlohmann::ordered_json::array();
  std::string present;
  for (Isa isa : {Isa::scalar, Isa::avx2, Isa::avx512})
    if (kernels::cpu_has(isa)) {
      isa_present.push_back(kernels::name_of(isa));
      present += std::string(present.empty() ? "" : ", ") + kernels::name_of(isa);
    }
  nlohmann::ordered_json dependencies;
  dependencies["nlohmann_json"] = std::to_string(NLOHMANN_JSON_VERSION_MAJOR) + "." +
                                  std::to_string(NLOHMANN_JSON_VERSION_MINOR) + "." +
                                  std::to_string(NLOHMANN_JSON_VERSION_PATCH);
  dependencies["zlib"] = zlibVersion();
  dependencies["CLI11"] = CLI11_VERSION;
#ifdef _OPENMP
  dependencies["OpenMP"] = std::to_string(_OPENMP);
#endif
#ifdef IMU2MUSIC_WITH_SOUND
  try {
    dependencies["FluidSynth"] = fluidsynth().fluid_version_str();
    dependencies["libsndfile"] = soundfile().sf_version_string();
  } catch (const DeviceError&) {  // not installed here: no sound
    dependencies.erase("FluidSynth");
  }
#endif

  std::string gpu, no_gpu = "built without CUDA";
  if (kernels::cuda_runtime != nullptr) try {
      gpu = kernels::cuda_runtime->describe();
    } catch (const kernels::DeviceFailure& failure) {
      no_gpu = failure.what();
    }

  if (options.json) {
    print_json(
        {{"version", version()},
         {"isa", {{"columns", isa_present}, {"active", kernels::name_of(active_isa())}}},
         {"threads", {{"available", available_threads()}, {"used", thread_count(options)}}},
         {"devices", gpu.empty() ? nlohmann::ordered_json({"cpu"}) : nlohmann::ordered_json({"cpu", "cuda"})},
         {"cuda", kernels::cuda_runtime != nullptr},
         {"gpu", gpu.empty() ? nlohmann::ordered_json(nullptr) : nlohmann::ordered_json(gpu)},
         {"sound", dependencies.contains("FluidSynth")},
         {"compiler", __VERSION__},
         {"dependencies", dependencies}});
    return;
  }
  std::string text = std::string("imu2music ") + version() + "\n";
  text += "instruction sets  " + present + "; active: " + kernels::name_of(active_isa()) + "\n";
  text += "threads           " + std::to_string(available_threads()) + " available, " +
          std::to_string(thread_count(options)) + " used" + (has_openmp ? "" : " (built without OpenMP)") +
          "\n";
  text += "devices           cpu" + (gpu.empty() ? " (" + no_gpu + ")" : ", cuda: " + gpu) + "\n";
  text += std::string("compiler          ") + __VERSION__ + "\n";
  text += "dependencies      ";
  bool first = true;
  for (const auto& [name, version] : dependencies.items()) {
    text += (first ? "" : ", ") + name + " " + version.get<std::string>();
    first = false;
  }
  print_text(text + "\n");
}

}  // namespace

void add_info_command(CLI::App& program) {
  auto options = std::make_shared<CommonOptions>();
  CLI::App* command =
      program.add_subcommand("info", "Tell version, instruction sets, threads and dependencies");
  add_common_options(*command, *options);
  command->callback([options] { run_info(*options); });
}
