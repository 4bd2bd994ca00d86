// Weights in whichever form they come, told by the file's content and not by its name.
#pragma once

#include <string>

#include "imu2music/io/file_kind.hpp"
#include "imu2music/io/mapped_file.hpp"
#include "imu2music/io/safetensors.hpp"
#include "imu2music/io/tensor_file.hpp"
#include "imu2music/io/torch_checkpoint.hpp"

namespace imu2music::inline v0 {

// A zip archive is read as a PyTorch checkpoint, all else as safetensors. What is neither (an older PyTorch
// file, a web page, a Git LFS pointer, text, nothing at all) is an InputError that says what it is and what
// to do.
inline TensorFile read_weights(const std::string& path) {
  const bool zip = is_zip(MappedFile(path).bytes());
  return zip ? read_torch_checkpoint(path) : read_safetensors(path);
}

}  // namespace imu2music::inline v0
