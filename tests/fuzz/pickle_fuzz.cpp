// The pickle of a PyTorch checkpoint, in an archive that is right, with one storage "0" of 24 floats.
#include <string>
#include <vector>

#include "../io/checkpoint_builder.hpp"
#include "imu2music/io/torch_checkpoint.hpp"
#include "memory_input.hpp"
#include "tensors.hpp"

namespace {

void read(std::string_view bytes) {
  test::ZipBuilder zip;
  zip.add("archive/data.pkl", bytes);
  zip.add("archive/data/0", test::raw_bytes(std::vector<float>(24, 1.5f)));
  fuzz::check_tensors(imu2music::read_torch_checkpoint(fuzz::as_file(zip.bytes())));
}

// As for torch_checkpoint.
const fuzz::Target target("pickle", read, std::size_t{96} << 20);

}  // namespace
