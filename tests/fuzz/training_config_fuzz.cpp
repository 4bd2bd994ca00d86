// A training config: what is read is written and read again as the same.
#include "imu2music/train/training_config.hpp"
#include "target.hpp"

namespace {

void read(std::string_view bytes) {
  using namespace imu2music;
  const TrainingConfig config = parse_training_config(bytes, fuzz::name);
  fuzz::require(parse_training_config(to_json(config), fuzz::name) == config, "the config that is written");
  fuzz::require(differences(config, config).empty(), "what differs from the same");
  fuzz::require(config.steps >= 1 && config.batch >= 1 && config.seed >= 0, "a whole number");
}

const fuzz::Target target("training_config", read);

}  // namespace
