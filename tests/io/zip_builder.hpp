// Writes zip archives for the tests, well formed or with one thing wrong.
#pragma once

#include <zlib.h>

#include <cstdint>
#include <functional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace test {

inline std::string little_endian(std::uint64_t value, int byte_count) {
  std::string bytes;
  for (int i = 0; i < byte_count; ++i) bytes += static_cast<char>(value >> (8 * i) & 255);
  return bytes;
}

inline std::string deflated(std::string_view bytes) {
  z_stream stream{};
  if (deflateInit2(&stream, 9, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY) != Z_OK)
    throw std::runtime_error("deflateInit2");
  std::string packed(deflateBound(&stream, static_cast<uLong>(bytes.size())), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = reinterpret_cast<Bytef*>(packed.data());
  stream.avail_out = static_cast<uInt>(packed.size());
  if (deflate(&stream, Z_FINISH) != Z_STREAM_END) throw std::runtime_error("deflate");
  packed.resize(stream.total_out);
  deflateEnd(&stream);
  return packed;
}

struct ZipRecord {
  std::string name;
  std::string local_name;
  std::string packed;
  std::uint16_t flags = 0;
  std::uint16_t method = 0;
  std::uint32_t crc = 0;
  std::uint64_t stored_size = 0;
  std::uint64_t size = 0;
  std::uint64_t header_offset = 0;  // set by bytes()
};

class ZipBuilder {
 public:
  // `change` may put something wrong into the record before it is written.
  ZipBuilder& add(const std::string& name, std::string_view content, bool deflate = false,
                  const std::function<void(ZipRecord&)>& change = {}) {
    ZipRecord record;
    record.name = record.local_name = name;
    record.packed = deflate ? deflated(content) : std::string(content);
    record.method = deflate ? 8 : 0;
    record.crc = static_cast<std::uint32_t>(
        crc32(0, reinterpret_cast<const Bytef*>(content.data()), static_cast<uInt>(content.size())));
    record.stored_size = record.packed.size();
    record.size = content.size();
    if (change) change(record);
    records_.push_back(std::move(record));
    return *this;
  }

  bool zip64 = false;        // all sizes in extra fields, and the zip64 records at the end
  bool descriptors = false;  // sizes after the data instead of before it, as PyTorch writes
  std::string comment;

  std::string bytes() const {
    std::string file, directory;
    for (const ZipRecord& record : records_) {
      const std::uint64_t offset = file.size();
      const std::uint16_t flags = static_cast<std::uint16_t>(record.flags | (descriptors ? 8 : 0));
      const auto size32 = [&](std::uint64_t size, bool local) {
        return little_endian(local && descriptors ? 0 : zip64 ? 0xffffffff : size, 4);
      };
      file += "PK\3\4" + little_endian(20, 2) + little_endian(flags, 2) + little_endian(record.method, 2) +
              std::string(4, '\0') + little_endian(descriptors ? 0 : record.crc, 4) +
              size32(record.stored_size, true) + size32(record.size, true) +
              little_endian(record.local_name.size(), 2);
      const std::string local_extra = zip64 ? little_endian(1, 2) + little_endian(16, 2) +
                                                  little_endian(record.size, 8) +
                                                  little_endian(record.stored_size, 8)
                                            : "";
      // Padding, as PyTorch aligns its storages.
      const std::uint64_t start = file.size() + 2 + record.local_name.size() + local_extra.size() + 4;
      const std::string padding(static_cast<std::size_t>((64 - start % 64) % 64), 'Z');
      const std::string extra = local_extra + "FB" + little_endian(padding.size(), 2) + padding;
      file += little_endian(extra.size(), 2) + record.local_name + extra + record.packed;
      if (descriptors)
        file += "PK\7\10" + little_endian(record.crc, 4) + little_endian(record.stored_size, zip64 ? 8 : 4) +
                little_endian(record.size, zip64 ? 8 : 4);

      const std::uint64_t claimed_offset = record.header_offset != 0 ? record.header_offset : offset;
      const std::string central_extra =
          zip64 ? little_endian(7, 2) + little_endian(2, 2) + "ab" + little_endian(1, 2) +
                      little_endian(24, 2) + little_endian(record.size, 8) +
                      little_endian(record.stored_size, 8) + little_endian(claimed_offset, 8)
                : "";
      directory += "PK\1\2" + little_endian(20, 2) + little_endian(20, 2) + little_endian(flags, 2) +
                   little_endian(record.method, 2) + std::string(4, '\0') + little_endian(record.crc, 4) +
                   size32(record.stored_size, false) + size32(record.size, false) +
                   little_endian(record.name.size(), 2) + little_endian(central_extra.size(), 2) +
                   little_endian(0, 2) + std::string(8, '\0') +
                   little_endian(zip64 ? 0xffffffff : claimed_offset, 4) + record.name + central_extra;
    }
    const std::uint64_t directory_offset = file.size(), count = records_.size();
    file += directory;
    if (zip64) {
      const std::uint64_t record_offset = file.size();
      file += "PK\6\6" + little_endian(44, 8) + little_endian(45, 2) + little_endian(45, 2) +
              std::string(8, '\0') + little_endian(count, 8) + little_endian(count, 8) +
              little_endian(directory.size(), 8) + little_endian(directory_offset, 8);
      file += "PK\6\7" + little_endian(0, 4) + little_endian(record_offset, 8) + little_endian(1, 4);
    }
    file +=
        "PK\5\6" + std::string(4, '\0') + little_endian(zip64 ? 0xffff : count, 2) +
        little_endian(zip64 ? 0xffff : count, 2) + little_endian(zip64 ? 0xffffffff : directory.size(), 4) +
        little_endian(zip64 ? 0xffffffff : directory_offset, 4) + little_endian(comment.size(), 2) + comment;
    return file;
  }

 private:
  std::vector<ZipRecord> records_;
};

}  // namespace test
