// What people hand over in place of a weight file, told by its first bytes, with what to do about it.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include "imu2music/core/error.hpp"

namespace imu2music::inline v0 {

inline bool is_zip(std::span<const std::byte> bytes) {
  const std::string_view start(reinterpret_cast<const char*>(bytes.data()),
                               bytes.size() < 4 ? bytes.size() : 4);
  return start == std::string_view("PK\3\4", 4) || start == std::string_view("PK\5\6", 4);
}

// Throws InputError where `bytes`, the content of `path`, are recognised as something that holds no weights
// in a form that is read here; returns where they are not recognised.
inline void throw_if_foreign(const std::string& path, std::span<const std::byte> bytes) {
  const std::string_view all(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  const std::string_view start = all.substr(0, 1024);
  const std::string wanted = "a safetensors file or a PyTorch checkpoint in zip form is what can be read";
  const std::string save_again =
      "load it in PyTorch 1.6 or later and save its state_dict again with torch.save";

  if (bytes.empty()) throw InputError(path, "is empty", "fetch it or write it again");
  if (is_zip(bytes))
    throw InputError(path, "is a zip archive and not a safetensors file", "read it as a checkpoint");
  // The pickled number 0x1950a86a20f9469cfc6c opens each file of PyTorch before 1.6.
  if (start.size() >= 14 && start[0] == '\x80' &&
      start.substr(2, 12) == std::string_view("\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19", 12))
    throw InputError(path, "is a PyTorch file of the form before version 1.6", save_again);
  if (start.size() > 262 && start.substr(257, 5) == "ustar")
    throw InputError(path, "is a tar archive, the form of the earliest PyTorch versions", save_again);
  if (start.size() >= 2 && start[0] == '\x80' && start[1] >= 2 && start[1] <= 5)
    throw InputError(path, "is a plain pickle, which was not opened", save_again);
  if (start.starts_with("version https://git-lfs"))
    throw InputError(path, "is a Git LFS pointer and not the file itself", "run git lfs pull");
  if (start.starts_with("\x1f\x8b")) throw InputError(path, "is compressed with gzip", "unpack it first");
  if (start.starts_with("\x89HDF\r\n")) throw InputError(path, "is an HDF5 file", wanted);
  if (start.starts_with("\x93NUMPY")) throw InputError(path, "is a NumPy array", wanted);
  if (start.size() >= 12 && start.starts_with("RIFF") && start.substr(8, 4) == "WAVE")
    throw InputError(path, "is sound (WAV)", "motion is what music is made for: name a recording or weights");
  if (start.starts_with("GGUF")) throw InputError(path, "is a GGUF file", wanted);

  bool text = true;
  for (const char c : start) {
    const auto byte = static_cast<unsigned char>(c);
    const bool control = byte < 0x20 && c != '\n' && c != '\r' && c != '\t' && c != '\f';
    text = text && !control && byte < 0xF5;  // higher bytes never stand in UTF-8
  }
  if (!text) return;
  std::string_view first = start;
  while (!first.empty() &&
         std::string_view(" \t\r\n\f\xEF\xBB\xBF").find(first.front()) != std::string_view::npos)
    first.remove_prefix(1);
  if (first.starts_with("<!DOCTYPE") || first.starts_with("<!doctype") || first.starts_with("<html") ||
      first.starts_with("<HTML"))
    throw InputError(path, "is a web page", "the download went to a page: fetch the file itself");
  if (first.starts_with("{") || first.starts_with("["))
    throw InputError(path, "is JSON text and holds no weights", wanted);
  throw InputError(path, "is text and holds no weights", wanted);
}

}  // namespace imu2music::inline v0
