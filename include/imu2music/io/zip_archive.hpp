// A zip archive, read from a memory mapping: the directory at once, an entry's bytes when asked for.
//
// Stored entries are handed out in place; deflated ones are inflated into memory of their own. Sizes beyond 4
// GiB (zip64) are understood; encrypted and split archives and other compressions are refused. Format: PKWARE
// APPNOTE.TXT 6.3.10, sections 4.3 and 4.5.3; RFC 1951 for deflate.
//
// Every offset is checked against the file, every size an entry claims against the stream itself and the
// budget (byte_budget.hpp), and every entry's bytes against their CRC-32. Cost of bytes_of(): one pass over
// the entry. Errors: InputError with file and fault.
#pragma once

#include <zlib.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "imu2music/core/error.hpp"
#include "imu2music/io/byte_budget.hpp"
#include "imu2music/io/mapped_file.hpp"
#include "imu2music/io/text.hpp"

namespace imu2music::inline v0 {

struct ZipEntry {
  std::string name;
  std::uint16_t flags = 0;
  std::uint16_t method = 0;  // 0 stored, 8 deflated
  std::uint32_t crc = 0;
  std::uint64_t stored_size = 0;
  std::uint64_t size = 0;
  std::uint64_t header_offset = 0;
};

// An entry's bytes and what keeps them alive.
struct ZipBytes {
  std::span<const std::byte> bytes;
  std::shared_ptr<const void> owner;

  std::string_view text() const { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }
};

class ZipArchive {
 public:
  // `budget` must outlive the archive.
  ZipArchive(std::shared_ptr<const MappedFile> file, ByteBudget& budget)
      : file_(std::move(file)), bytes_(file_->bytes()), budget_(budget) {
    read_directory();
  }

  const std::vector<ZipEntry>& entries() const { return entries_; }

  const ZipEntry* find(std::string_view name) const {
    const auto found = index_.find(name);
    return found == index_.end() ? nullptr : &entries_[found->second];
  }

  ZipBytes bytes_of(const ZipEntry& entry) const {
    const std::string where = "its entry " + in_quotes(entry.name);
    if ((entry.flags & 1) != 0) fail(where + " is encrypted", "write it again without a password");
    if (entry.method != 0 && entry.method != 8)
      fail(where + " is compressed by method " + std::to_string(entry.method), "store or deflate it");
    if (!within(entry.header_offset, 30) || number(entry.header_offset, 4) != local_signature)
      fail(where + " is not where the directory says", damaged);
    const std::uint64_t name_size = number(entry.header_offset + 26, 2);
    const std::uint64_t extra_size = number(entry.header_offset + 28, 2);
    const std::uint64_t data_offset = entry.header_offset + 30 + name_size + extra_size;
    if (!within(data_offset, entry.stored_size)) fail(where + " reaches beyond the end of the file", damaged);
    if (text_at(entry.header_offset + 30, name_size) != entry.name)
      fail(where + " has another name in the directory", damaged);

    ZipBytes result{bytes_.subspan(data_offset, entry.stored_size), file_};
    if (entry.method == 0) {
      if (entry.size != entry.stored_size) fail(where + " is stored, yet has two sizes", damaged);
    } else {
      result = inflate(entry, result.bytes, where);
    }
    if (crc_of(result.bytes) != entry.crc)
      fail(where + " does not have the checksum it should have", damaged);
    return result;
  }

 private:
  static constexpr std::uint64_t local_signature = 0x04034b50, directory_signature = 0x02014b50,
                                 end_signature = 0x06054b50, end64_signature = 0x06064b50,
                                 locator_signature = 0x07064b50;
  static constexpr std::uint64_t end_size = 22, end64_size = 56, locator_size = 20, header_size = 46;
  static constexpr const char* damaged = "the archive is damaged: fetch it or write it again";

  [[noreturn]] void fail(const std::string& fault, const std::string& remedy) const {
    throw InputError(file_->path(), fault, remedy);
  }

  bool within(std::uint64_t offset, std::uint64_t byte_count) const {
    return offset <= bytes_.size() && byte_count <= bytes_.size() - offset;
  }
  // A little-endian number of `byte_count` bytes, which lie within the file.
  std::uint64_t number(std::uint64_t offset, int byte_count) const {
    std::uint64_t value = 0;
    std::memcpy(&value, bytes_.data() + offset, static_cast<std::size_t>(byte_count));
    return value;
  }
  std::string_view text_at(std::uint64_t offset, std::uint64_t byte_count) const {
    return {reinterpret_cast<const char*>(bytes_.data()) + offset, byte_count};
  }

  // The record that ends the file: 22 bytes and a comment of the length it states.
  std::uint64_t end_record() const {
    if (bytes_.size() >= end_size) {
      const std::uint64_t last = bytes_.size() - end_size;
      for (std::uint64_t comment = 0; comment <= std::min<std::uint64_t>(last, 65535); ++comment)
        if (number(last - comment, 4) == end_signature && number(last - comment + 20, 2) == comment)
          return last - comment;
    }
    fail("is a zip archive without its end", "it was cut off: fetch it or write it again");
  }

  void read_directory() {
    const std::uint64_t end = end_record();
    std::uint64_t disk = number(end + 4, 2), count = number(end + 10, 2), disk_count = number(end + 8, 2);
    std::uint64_t size = number(end + 12, 4), offset = number(end + 16, 4), limit = end;
    if (end >= locator_size && number(end - locator_size, 4) == locator_signature) {
      const std::uint64_t record = number(end - locator_size + 8, 8);
      if (!within(record, end64_size) || number(record, 4) != end64_signature || record > end - locator_size)
        fail("its zip64 record is not where it should be", damaged);
      disk = number(record + 16, 4);
      disk_count = number(record + 24, 8);
      count = number(record + 32, 8);
      size = number(record + 40, 8);
      offset = number(record + 48, 8);
      limit = record;
    }
    if (disk != 0 || disk_count != count) fail("is one part of a split archive", "join the parts first");
    if (offset > limit || size > limit - offset)
      fail("its directory reaches beyond the end of the file", damaged);
    if (count > size / header_size) fail("its directory claims more entries than it has room for", damaged);

    std::uint64_t place = offset, stored = 0;
    const std::uint64_t directory_end = offset + size;
    for (std::uint64_t i = 0; i < count; ++i) {
      if (directory_end - place < header_size || number(place, 4) != directory_signature)
        fail("its directory breaks off at entry " + std::to_string(i), damaged);
      const std::uint64_t name_size = number(place + 28, 2), extra_size = number(place + 30, 2);
      const std::uint64_t entry_size = header_size + name_size + extra_size + number(place + 32, 2);
      if (directory_end - place < entry_size)
        fail("its directory breaks off at entry " + std::to_string(i), damaged);
      budget_.take(sizeof(ZipEntry) + name_size + 64);
      ZipEntry entry;
      entry.name = text_at(place + header_size, name_size);
      entry.flags = static_cast<std::uint16_t>(number(place + 8, 2));
      entry.method = static_cast<std::uint16_t>(number(place + 10, 2));
      entry.crc = static_cast<std::uint32_t>(number(place + 16, 4));
      entry.stored_size = number(place + 20, 4);
      entry.size = number(place + 24, 4);
      entry.header_offset = number(place + 42, 4);
      read_zip64_sizes(entry, place + header_size + name_size, extra_size);
      // Together they cannot be more than the file, unless they overlap, which is how a small archive makes
      // much work.
      if (entry.stored_size > bytes_.size() - stored)
        fail("its entries claim more bytes than the file has", damaged);
      stored += entry.stored_size;
      if (!index_.emplace(entry.name, entries_.size()).second)
        fail("has two entries named " + in_quotes(entry.name), damaged);
      entries_.push_back(std::move(entry));
      place += entry_size;
    }
  }

  // Extra field 1 holds, in this order, those of the three numbers that stand as 2^32 − 1 in the directory.
  void read_zip64_sizes(ZipEntry& entry, std::uint64_t place, std::uint64_t byte_count) const {
    while (byte_count >= 4) {
      const std::uint64_t id = number(place, 2), field_size = number(place + 2, 2);
      if (field_size > byte_count - 4) return;  // no field: padding, which some writers leave
      if (id == 1) {
        std::uint64_t at = place + 4, left = field_size;
        for (std::uint64_t* value : {&entry.size, &entry.stored_size, &entry.header_offset}) {
          if (*value != 0xffffffff) continue;
          if (left < 8) fail("its entry " + in_quotes(entry.name) + " lacks its zip64 sizes", damaged);
          *value = number(at, 8);
          at += 8;
          left -= 8;
        }
        return;
      }
      place += 4 + field_size;
      byte_count -= 4 + field_size;
    }
  }

  ZipBytes inflate(const ZipEntry& entry, std::span<const std::byte> packed, const std::string& where) const {
    // Deflate makes at most 1032 bytes of one, so a larger claim is false before any memory is given.
    if (entry.size / 1032 > packed.size()) fail(where + " claims more bytes than it can hold", damaged);
    budget_.take(entry.size);
    std::shared_ptr<std::byte[]> memory(
        new std::byte[entry.size + 1]);  // one more shows a stream that goes on
    z_stream stream{};
    if (::inflateInit2(&stream, -MAX_WBITS) != Z_OK) throw Error(file_->path() + ": zlib has no memory left");
    constexpr std::uint64_t chunk = 1u << 30;  // zlib counts in 32 bits
    std::uint64_t taken = 0, made = 0;
    int status = Z_OK;
    while (status == Z_OK) {
      const std::uint64_t in = std::min(chunk, packed.size() - taken),
                          out = std::min(chunk, entry.size + 1 - made);
      if (out == 0) break;
      stream.next_in = reinterpret_cast<Bytef*>(const_cast<std::byte*>(packed.data() + taken));
      stream.avail_in = static_cast<uInt>(in);
      stream.next_out = reinterpret_cast<Bytef*>(memory.get() + made);
      stream.avail_out = static_cast<uInt>(out);
      status = ::inflate(&stream, Z_NO_FLUSH);
      taken += in - stream.avail_in;
      made += out - stream.avail_out;
    }
    ::inflateEnd(&stream);
    if (status != Z_STREAM_END || made != entry.size)
      fail(where + " does not inflate to the " + std::to_string(entry.size) + " bytes it claims", damaged);
    return {std::span<const std::byte>(memory.get(), entry.size), memory};
  }

  static std::uint32_t crc_of(std::span<const std::byte> bytes) {
    return static_cast<std::uint32_t>(
        ::crc32_z(0, reinterpret_cast<const Bytef*>(bytes.data()), static_cast<z_size_t>(bytes.size())));
  }

  std::shared_ptr<const MappedFile> file_;
  std::span<const std::byte> bytes_;
  ByteBudget& budget_;
  std::vector<ZipEntry> entries_;
  std::map<std::string, std::size_t, std::less<>> index_;
};

}  // namespace imu2music::inline v0
