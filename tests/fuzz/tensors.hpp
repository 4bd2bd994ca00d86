// What has to hold of the tensors of any weight file.
#pragma once

#include <cstddef>
#include <cstdint>

#include "imu2music/io/tensor_file.hpp"
#include "target.hpp"

namespace fuzz {

// Every tensor has the bytes of its shape, all of which can be read.
inline void check_tensors(const imu2music::TensorFile& file) {
  for (const imu2music::TensorEntry& entry : file.entries()) {
    require(entry.byte_count == entry.shape.element_count() * imu2music::size_of(entry.dtype),
            "a tensor's size");
    const volatile std::byte* data = entry.data;
    for (std::int64_t i = 0; i < entry.byte_count; ++i) static_cast<void>(data[i]);
    require(file.find(entry.name) != nullptr, "a tensor's name");
  }
}

}  // namespace fuzz
