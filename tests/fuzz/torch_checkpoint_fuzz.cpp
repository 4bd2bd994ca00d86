// PyTorch checkpoints as they come, and with the checksums of their entries put right: no change to an entry
// would be read otherwise.
#include <zlib.h>

#include <cstddef>
#include <cstdint>
#include <string>

#include "imu2music/io/torch_checkpoint.hpp"
#include "memory_input.hpp"
#include "tensors.hpp"

namespace {

// The number of `size` bytes at `at`, which lie in `text`.
std::uint64_t number(const std::string& text, std::size_t at, int size) {
  std::uint64_t value = 0;
  for (int i = size - 1; i >= 0; --i)
    value = value << 8 | static_cast<unsigned char>(text[at + std::size_t(i)]);
  return value;
}

std::string inflated(std::string_view packed) {
  std::string bytes(1 << 16, '\0');
  z_stream stream{};
  if (inflateInit2(&stream, -MAX_WBITS) != Z_OK) return {};
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(packed.data()));
  stream.avail_in = static_cast<uInt>(packed.size());
  stream.next_out = reinterpret_cast<Bytef*>(bytes.data());
  stream.avail_out = static_cast<uInt>(bytes.size());
  inflate(&stream, Z_FINISH);
  bytes.resize(stream.total_out);
  inflateEnd(&stream);
  return bytes;
}

std::string with_right_checksums(std::string_view bytes) {
  std::string file(bytes);
  for (std::size_t at = file.find("PK\1\2"); at != std::string::npos && file.size() - at >= 46;
       at = file.find("PK\1\2", at + 4)) {
    const std::size_t local = number(file, at + 42, 4), size = number(file, at + 20, 4);
    if (local > file.size() || file.size() - local < 30) continue;
    const std::size_t begin = local + 30 + number(file, local + 26, 2) + number(file, local + 28, 2);
    if (begin > file.size() || file.size() - begin < size) continue;
    std::string content = file.substr(begin, size);
    if (number(file, at + 10, 2) == 8) {
      content = inflated(content);
      const std::uint64_t count = content.size();
      for (std::size_t i = 0; i < 4; ++i) file[at + 24 + i] = static_cast<char>(count >> (8 * i));
    }
    const auto sum =
        crc32(0, reinterpret_cast<const Bytef*>(content.data()), static_cast<uInt>(content.size()));
    for (std::size_t i = 0; i < 4; ++i) file[at + 16 + i] = static_cast<char>(sum >> (8 * i));
  }
  return file;
}

void read(std::string_view bytes) {
  using namespace imu2music;
  bool refused = false;
  try {
    fuzz::check_tensors(read_torch_checkpoint(fuzz::as_file(bytes)));
  } catch (const InputError&) {
    refused = true;
  }
  if (refused) fuzz::check_tensors(read_torch_checkpoint(fuzz::as_file(with_right_checksums(bytes))));
}

// Beyond ten times the file: what a pickle's stack and marks may hold.
const fuzz::Target target("torch_checkpoint", read, std::size_t{64} << 20);

}  // namespace
