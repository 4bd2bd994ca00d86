// A model's config: what is read is written and read again as the same.
#include "imu2music/io/model_config.hpp"
#include "target.hpp"

namespace {

void read(std::string_view bytes) {
  using namespace imu2music;
  const ModelConfig config = parse_model_config(bytes, fuzz::name);
  fuzz::require(parse_model_config(to_json(config), fuzz::name) == config, "the config that is written");
}

const fuzz::Target target("model_config", read);

}  // namespace
