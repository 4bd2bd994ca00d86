#include "imu2music/io/file_kind.hpp"

#include "error_text.hpp"
#include "support.hpp"

using namespace imu2music;

namespace {

std::string kind_of(const std::string& bytes) {
  const std::string message = test::input_error([&] {
    throw_if_foreign("f", {reinterpret_cast<const std::byte*>(bytes.data()), bytes.size()});
  });
  return message.substr(0, message.find(';'));
}

}  // namespace

TEST_CASE("what people hand over in place of weights") {
  CHECK(kind_of("") == "f: is empty");
  CHECK(kind_of("PK\3\4....") == "f: is a zip archive and not a safetensors file");
  CHECK(kind_of("\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.\x80\x02M\xe9\x03.") ==
        "f: is a PyTorch file of the form before version 1.6");
  CHECK(kind_of(std::string(257, 'x') + "ustar" + std::string(300, '\0')) ==
        "f: is a tar archive, the form of the earliest PyTorch versions");
  CHECK(kind_of("\x80\x04}.") == "f: is a plain pickle, which was not opened");
  CHECK(kind_of("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n") ==
        "f: is a Git LFS pointer and not the file itself");
  CHECK(kind_of("\x1f\x8b\x08") == "f: is compressed with gzip");
  CHECK(kind_of("\x89HDF\r\n\x1a\n") == "f: is an HDF5 file");
  CHECK(kind_of("\x93NUMPY\x01") == "f: is a NumPy array");
  CHECK(kind_of(std::string("GGUF\3\0\0\0", 8)) == "f: is a GGUF file");
  CHECK(kind_of(std::string("RIFF\4\0\0\0WAVE", 12)) == "f: is sound (WAV)");
  CHECK_NOTHROW(kind_of("RIFF"));
  CHECK(kind_of("<!DOCTYPE html><html>") == "f: is a web page");
  CHECK(kind_of("\xEF\xBB\xBF \n<html lang=en>") == "f: is a web page");
  CHECK(kind_of("{\"d_model\": 128}") == "f: is JSON text and holds no weights");
  CHECK(kind_of("hello\n") == "f: is text and holds no weights");
  CHECK(kind_of(" ") == "f: is text and holds no weights");
  CHECK(kind_of(std::string("\x10\0\0\0\0\0\0\0{}", 10)) == "no error");
  CHECK(kind_of(std::string(100, '\0')) == "no error");
  CHECK(kind_of("\x80\x01") == "no error");
}

TEST_CASE("zip archives are told by their first bytes, empty ones too") {
  const auto zip = [](const std::string& bytes) {
    return is_zip({reinterpret_cast<const std::byte*>(bytes.data()), bytes.size()});
  };
  CHECK(zip("PK\3\4"));
  CHECK(zip("PK\5\6" + std::string(18, '\0')));
  CHECK_FALSE(zip("PK\3"));
  CHECK_FALSE(zip(""));
  CHECK_FALSE(zip("PK\1\2"));
}
