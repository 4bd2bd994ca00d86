// One file of a run's folder that is resumed, the others being right. The first byte tells which.
#include <cmath>
#include <filesystem>
#include <string>
#include <type_traits>

#include "folder_input.hpp"
#include "small_run.hpp"

namespace {

constexpr const char* files[] = {"state.safetensors", "log.jsonl"};

void read(std::string_view bytes) {
  using namespace imu2music;
  static const fuzz::Folder folders[2];
  static const TrainingConfig config = [] {
    folders[0].write(files[1], fuzz::small_log);
    fuzz::write_small_state(folders[1].path() + "/" + files[0]);
    return fuzz::small_run_config();
  }();
  if (bytes.empty()) throw InputError(fuzz::name, "is empty", "a byte should tell which file it is");
  const std::size_t which = static_cast<unsigned char>(bytes.front()) % 2;
  const fuzz::Folder& folder = folders[which];
  folder.write(files[which], bytes.substr(1));
  fuzz::named(folder.path());
  Model<float> model = init_model<float>(config.model, 1);
  const fuzz::NoBatches data;
  const Trainer trainer(model, config, data, {folder.path(), 1, true, {}, {}, Device::cpu()});
  const TrainingProgress& progress = trainer.progress();
  fuzz::require(progress.step >= 0 && progress.best_step >= 0 && progress.best_step <= progress.step,
                "the steps");
  fuzz::require(std::isfinite(progress.seconds) && !std::isnan(progress.best_nll), "the progress");
  const auto check = []<class Entry>(const std::string&, Entry& entry) {
    if constexpr (std::is_same_v<Entry, Parameter<float>>)
      for (const float value : std::as_const(entry.value).values())
        fuzz::require(std::isfinite(value), "a parameter's value");
  };
  model.visit(check);
  const std::string log = read_text_file(folder.path() + "/" + files[1]);
  fuzz::require(log.empty() || (log.starts_with("{\"step\":") && log.ends_with('\n')), "the log");
}

const fuzz::Target target("training_run", read);

}  // namespace
