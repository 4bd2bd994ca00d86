// safetensors files.
#include "imu2music/io/safetensors.hpp"
#include "memory_input.hpp"
#include "tensors.hpp"

namespace {

void read(std::string_view bytes) { fuzz::check_tensors(imu2music::read_safetensors(fuzz::as_file(bytes))); }

const fuzz::Target target("safetensors", read);

}  // namespace
