// safetensors: named tensors behind a JSON header, read in place from a memory mapping.
//
//   [8 bytes: header length n, little-endian] [n bytes: JSON] [the tensors' bytes]
//   {"__metadata__": {text: text}, "name": {"dtype": "F32", "shape": [2, 3], "data_offsets": [begin, end]},
//   …}
//
// Offsets count from the end of the header; the tensors cover the data without hole or overlap. Format:
// github.com/huggingface/safetensors, "Format". Everything the format promises is checked before a tensor is
// handed out; a file that breaks a promise is an InputError. Reading costs the header only, and at most ten
// times the file and 16 MiB of memory (byte_budget.hpp). Writing is
// deterministic: the same entries and metadata give the same bytes.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "imu2music/core/dtype.hpp"
#include "imu2music/core/error.hpp"
#include "imu2music/core/shape.hpp"
#include "imu2music/io/atomic_file.hpp"
#include "imu2music/io/byte_budget.hpp"
#include "imu2music/io/file_kind.hpp"
#include "imu2music/io/json_reader.hpp"
#include "imu2music/io/mapped_file.hpp"
#include "imu2music/io/tensor_file.hpp"
#include "imu2music/io/text.hpp"

namespace imu2music::inline v0 {

namespace safetensors_detail {

constexpr std::int64_t largest_header = 100'000'000;  // the format's own bound
constexpr const char* write_again = "the file is damaged: fetch it or write it again";

struct HeaderEntry {
  std::string name;
  std::string dtype;
  Shape shape;
  std::vector<std::uint64_t> offsets;
  bool has_dtype = false, has_shape = false, has_offsets = false;
};

// Takes the header in as its parser meets it, so that a hostile one builds no tree.
class HeaderReader {
 public:
  HeaderReader(std::string path, std::int64_t file_size)
      : path_(std::move(path)), budget_(path_, file_size) {}

  std::vector<HeaderEntry> entries;
  std::map<std::string, std::string> metadata;

  // The events of read_json().
  void null() { misplaced("null"); }
  void boolean(bool) { misplaced("a truth value"); }
  void integer(std::int64_t value) { misplaced("the number " + std::to_string(value)); }
  void number(std::string_view text) { misplaced("the number " + std::string(text.substr(0, 80))); }
  void unsigned_integer(std::uint64_t value) {
    if (place_ == Place::shape) {
      Shape& shape = entries.back().shape;
      if (shape.rank() == Shape::max_rank)
        fail(where() + " has more than 6 axes", "only up to 6 can be used");
      try {
        if (value > static_cast<std::uint64_t>(Shape::most_elements))
          throw ShapeError("an axis of " + std::to_string(value));
        shape.push_back(static_cast<std::int64_t>(value));
      } catch (const ShapeError&) {
        fail(where() + " claims an axis of " + std::to_string(value) + " and more than 2^58 elements",
             write_again);
      }
      return;
    }
    if (place_ == Place::offsets) {
      if (entries.back().offsets.size() == 2) fail(where() + " has more than two data_offsets", write_again);
      entries.back().offsets.push_back(value);
      return;
    }
    misplaced("the number " + std::to_string(value));
  }
  void string(const std::string& text) {
    if (place_ == Place::metadata) {
      budget_.take(256 + key_.size() + text.size());
      metadata[key_] = text;
      return;
    }
    if (place_ == Place::entry && field_ == Field::dtype) {
      entries.back().dtype = text;
      entries.back().has_dtype = true;
      field_ = Field::none;
      return;
    }
    misplaced("the text " + in_quotes(text));
  }

  void start_object() {
    if (place_ == Place::before) {
      place_ = Place::top;
    } else if (place_ == Place::top && key_ == "__metadata__") {
      place_ = Place::metadata;
    } else if (place_ == Place::top) {
      // Here and in the TensorFile, each a growing vector, and three times by its name.
      budget_.take(2 * (sizeof(HeaderEntry) + sizeof(TensorEntry)) + 256 + 3 * key_.size());
      entries.emplace_back().name = key_;
      place_ = Place::entry;
    } else {
      misplaced("an object");
    }
  }
  void key(const std::string& text) {
    if (place_ == Place::top) {
      if (!names_.insert(text).second) fail("its header names " + in_quotes(text) + " twice", write_again);
    } else if (place_ == Place::metadata) {
      if (metadata.contains(text)) fail("its __metadata__ names " + in_quotes(text) + " twice", write_again);
    } else {
      const HeaderEntry& entry = entries.back();
      const auto begin = [&](bool present, Field field) {
        if (present) fail(where() + " gives " + in_quotes(text) + " twice", write_again);
        field_ = field;
      };
      if (text == "dtype")
        begin(entry.has_dtype, Field::dtype);
      else if (text == "shape")
        begin(entry.has_shape, Field::shape);
      else if (text == "data_offsets")
        begin(entry.has_offsets, Field::offsets);
      else
        fail(where() + " has the unknown field " + in_quotes(text),
             "dtype, shape and data_offsets are what there is");
      return;
    }
    key_ = text;
  }
  void end_object() {
    if (place_ == Place::entry) {
      const HeaderEntry& entry = entries.back();
      const char* missing = !entry.has_dtype ? "dtype" : !entry.has_shape ? "shape" : "data_offsets";
      if (!entry.has_dtype || !entry.has_shape || !entry.has_offsets)
        fail(where() + " has no " + missing, write_again);
    }
    place_ = place_ == Place::top ? Place::after : Place::top;
  }
  void start_array() {
    if (place_ != Place::entry || (field_ != Field::shape && field_ != Field::offsets)) misplaced("a list");
    place_ = field_ == Field::shape ? Place::shape : Place::offsets;
  }
  void end_array() {
    HeaderEntry& entry = entries.back();
    if (place_ == Place::offsets && entry.offsets.size() != 2)
      fail(where() + " has not two data_offsets", write_again);
    (place_ == Place::shape ? entry.has_shape : entry.has_offsets) = true;
    place_ = Place::entry;
    field_ = Field::none;
  }

 private:
  enum class Place { before, top, metadata, entry, shape, offsets, after };
  enum class Field { none, dtype, shape, offsets };

  [[noreturn]] void fail(const std::string& fault, const std::string& remedy) const {
    throw InputError(path_, fault, remedy);
  }
  std::string where() const { return "tensor " + in_quotes(entries.back().name); }
  [[noreturn]] void misplaced(const std::string& value) const {
    switch (place_) {
      case Place::before:
        fail("its header is " + value + " and not a JSON object", write_again);
      case Place::metadata:
        fail("its __metadata__ has " + value + " under " + in_quotes(key_), "metadata are text only");
      case Place::top:
        if (key_ == "__metadata__") fail("its __metadata__ is " + value, "metadata are an object of text");
        fail("its header has " + value + " under " + in_quotes(key_), write_again);
      case Place::entry:
        fail(where() + " has " + value + " as its " +
                 (field_ == Field::dtype   ? "dtype"
                  : field_ == Field::shape ? "shape"
                                           : "data_offsets"),
             write_again);
      case Place::shape:
        fail(where() + " has " + value + " in its shape", write_again);
      default:
        fail(where() + " has " + value + " in its data_offsets", write_again);
    }
  }

  std::string path_;
  ByteBudget budget_;
  Place place_ = Place::before;
  Field field_ = Field::none;
  std::string key_;
  std::set<std::string, std::less<>> names_;
};

}  // namespace safetensors_detail

inline TensorFile read_safetensors(const std::string& path) {
  using namespace safetensors_detail;
  const auto mapping = std::make_shared<const MappedFile>(path);
  const std::int64_t file_size = mapping->size();
  if (file_size < 8 || (file_size > 8 && mapping->data()[8] != std::byte{'{'}))
    throw_if_foreign(path, mapping->bytes());
  if (file_size < 8)
    throw InputError(path, "has " + std::to_string(file_size) + " bytes, too few for a safetensors file",
                     write_again);
  std::uint64_t claimed = 0;
  std::memcpy(&claimed, mapping->data(), 8);
  if (claimed > static_cast<std::uint64_t>(largest_header))
    throw InputError(path, "claims a header of " + std::to_string(claimed) + " bytes, more than 100 MB",
                     "it is damaged or no safetensors file: fetch it or write it again");
  const auto header_size = static_cast<std::int64_t>(claimed);
  if (header_size > file_size - 8)
    throw InputError(path,
                     "claims a header of " + std::to_string(header_size) + " bytes, but has only " +
                         std::to_string(file_size - 8) + " after the length",
                     "it was cut off: fetch it or write it again");
  const std::string_view header(reinterpret_cast<const char*>(mapping->data()) + 8,
                                static_cast<std::size_t>(header_size));
  if (header.empty() || header.front() != '{')
    throw InputError(path, "its header is not a JSON object", write_again);
  HeaderReader reader(path, file_size);
  if (const auto fault = read_json(header, reader))
    throw InputError(path, "its header is no JSON (at byte " + std::to_string(8 + *fault) + ")", write_again);

  const std::int64_t data_size = file_size - 8 - header_size;
  const std::byte* data = mapping->data() + 8 + header_size;
  for (const HeaderEntry& entry : reader.entries) {
    const std::string where = "tensor " + in_quotes(entry.name);
    const std::uint64_t begin = entry.offsets[0], end = entry.offsets[1];
    if (!dtype_named(entry.dtype))
      throw InputError(path, where + " has the dtype " + in_quotes(entry.dtype),
                       "BOOL, U8, I8, I16, I32, I64, F16, BF16, F32 and F64 can be read");
    if (begin > end)
      throw InputError(path,
                       where + " has its data_offsets reversed (" + std::to_string(begin) + ", " +
                           std::to_string(end) + ")",
                       write_again);
    if (end > static_cast<std::uint64_t>(data_size))
      throw InputError(path,
                       where + " ends at byte " + std::to_string(end) + " of the data, of which there are " +
                           std::to_string(data_size),
                       "it was cut off: fetch it or write it again");
    const std::int64_t count = entry.shape.element_count();
    const auto byte_count = static_cast<std::int64_t>(end - begin);
    // The first test keeps the product within 64 bits.
    if (count > byte_count || count * size_of(*dtype_named(entry.dtype)) != byte_count)
      throw InputError(path,
                       where + ": " + entry.dtype + " " + entry.shape.to_string() + " does not take " +
                           std::to_string(byte_count) + " bytes",
                       write_again);
  }

  // In the order of the data; where several are empty at one place, in the header's order.
  std::stable_sort(reader.entries.begin(), reader.entries.end(),
                   [](const HeaderEntry& a, const HeaderEntry& b) { return a.offsets < b.offsets; });
  TensorFile file;
  file.path = path;
  file.metadata = std::move(reader.metadata);
  file.keep(mapping);
  std::uint64_t covered = 0;
  for (HeaderEntry& entry : reader.entries) {
    if (entry.offsets[0] < covered)
      throw InputError(path, "tensor " + in_quotes(entry.name) + " overlaps the one before it", write_again);
    if (entry.offsets[0] > covered)
      throw InputError(path,
                       "there is a hole of " + std::to_string(entry.offsets[0] - covered) +
                           " bytes before tensor " + in_quotes(entry.name),
                       write_again);
    covered = entry.offsets[1];
    file.add({std::move(entry.name), *dtype_named(entry.dtype), entry.shape, data + entry.offsets[0],
              static_cast<std::int64_t>(entry.offsets[1] - entry.offsets[0])});
  }
  if (covered != static_cast<std::uint64_t>(data_size))
    throw InputError(path,
                     std::to_string(static_cast<std::uint64_t>(data_size) - covered) +
                         " bytes after the last tensor belong to none",
                     write_again);
  return file;
}

// Writes the entries in the given order; data start at a multiple of 8. A name given twice, a byte count that
// does not fit its shape, and text that is not UTF-8 are mistakes of the caller: ShapeError or Error.
inline void write_safetensors(const std::string& path, std::span<const TensorEntry> entries,
                              const std::map<std::string, std::string>& metadata = {}) {
  const auto json_text = [&](const std::string& text) {
    std::optional<std::string> result = json_quoted(text);
    if (!result) throw Error(path + ": the text " + in_quotes(text) + " is not UTF-8");
    return *std::move(result);
  };
  std::string header = "{";
  if (!metadata.empty()) {
    header += "\"__metadata__\":{";
    for (const auto& [key, value] : metadata) {
      if (header.back() != '{') header += ',';
      header += json_text(key);
      header += ':';
      header += json_text(value);
    }
    header += "}";
  }
  std::set<std::string_view> names = {"__metadata__"};
  std::int64_t offset = 0;
  for (const TensorEntry& entry : entries) {
    if (!names.insert(entry.name).second)
      throw Error(path + ": two tensors are named " + in_quotes(entry.name));
    const std::int64_t count = entry.shape.element_count();
    if (count > entry.byte_count || count * size_of(entry.dtype) != entry.byte_count)
      throw ShapeError(path + ": tensor " + in_quotes(entry.name) + ": " + name_of(entry.dtype) + " " +
                       entry.shape.to_string() + " does not take " + std::to_string(entry.byte_count) +
                       " bytes");
    if (header.size() > 1) header += ',';
    header += json_text(entry.name);
    header += std::string(":{\"dtype\":\"") + name_of(entry.dtype) + "\",\"shape\":[";
    for (int axis = 0; axis < entry.shape.rank(); ++axis) {
      if (axis > 0) header += ',';
      header += std::to_string(entry.shape[axis]);
    }
    header += "],\"data_offsets\":[" + std::to_string(offset) + ",";
    offset += entry.byte_count;
    header += std::to_string(offset) + "]}";
  }
  header += "}";
  header.append((8 - header.size() % 8) % 8, ' ');
  if (header.size() > static_cast<std::size_t>(safetensors_detail::largest_header))
    throw Error(path + ": more than 100 MB of names and metadata");

  AtomicFile file(path);
  const std::uint64_t header_size = header.size();
  file.write(&header_size, 8);
  file.write(header);
  for (const TensorEntry& entry : entries) file.write(entry.data, static_cast<std::size_t>(entry.byte_count));
  file.commit();
}

}  // namespace imu2music::inline v0
