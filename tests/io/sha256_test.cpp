#include "imu2music/io/sha256.hpp"

#include <doctest/doctest.h>

#include <string>

#include "support.hpp"

using namespace imu2music;

TEST_CASE("digests are those of FIPS 180-4's examples") {
  CHECK(sha256("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  CHECK(sha256("") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  CHECK(sha256("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq") ==
        "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  CHECK(
      sha256(
          "abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmn"
          "opqrstnopqrstu") == "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1");
  Sha256 million;
  for (int i = 0; i < 1000; ++i) million.add(std::string(1000, 'a'));
  CHECK(million.hex() == "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST_CASE("lengths around the padding's border, in pieces and whole") {
  for (std::size_t length = 50; length < 140; ++length) {
    const std::string text(length, 'x');
    Sha256 pieces;
    for (std::size_t i = 0; i < length; i += 7) pieces.add(std::string_view(text).substr(i, 7));
    CHECK(pieces.hex() == sha256(text));
    CHECK(pieces.hex() == sha256(text));  // asking changes nothing
    CHECK(sha256(text) != sha256(text + "x"));
  }
}

TEST_CASE("a file's digest is that of its bytes") {
  const test::ScratchFolder scratch;
  test::write_file(scratch / "a", std::string("a\0b\n", 4));
  CHECK(sha256_of_file(scratch / "a") == sha256(std::string_view("a\0b\n", 4)));
  test::write_file(scratch / "empty", "");
  CHECK(sha256_of_file(scratch / "empty") == sha256(""));
  CHECK_THROWS_AS(sha256_of_file(scratch / "missing"), InputError);
}
