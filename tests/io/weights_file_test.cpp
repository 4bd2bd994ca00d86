#include "imu2music/io/weights_file.hpp"

#include "checkpoint_builder.hpp"
#include "error_text.hpp"
#include "support.hpp"

using namespace imu2music;
using namespace test::pickle;
using test::contains;
using test::input_error;

TEST_CASE("the content tells the format, whatever the name") {
  test::ScratchFolder scratch;
  test::CheckpointBuilder checkpoint;
  checkpoint.value =
      dict({{"state_dict", dict({{"w", tensor(storage("0", 2), 0, {2}, {1})}})}, {"epoch", integer(4)}});
  checkpoint.storages["0"] = test::raw_bytes<float>({1, 2});
  test::write_file(scratch / "a.safetensors", checkpoint.bytes());
  const TensorFile first = read_weights(scratch / "a.safetensors");
  CHECK(values_of<float>(*first.find("w")) == std::vector<float>{1, 2});

  write_safetensors(scratch / "b.pth.tar", first.entries(), first.metadata);
  const TensorFile second = read_weights(scratch / "b.pth.tar");
  CHECK(values_of<float>(*second.find("w")) == std::vector<float>{1, 2});
  CHECK(second.metadata.at("epoch") == "4");

  // A file may be written over while it is mapped: its readers keep the old bytes.
  write_safetensors(scratch / "b.pth.tar", {}, {});
  CHECK(values_of<float>(*second.find("w")) == std::vector<float>{1, 2});
}

TEST_CASE("anything else is told what it is") {
  test::ScratchFolder scratch;
  const auto fault = [&](const std::string& bytes) {
    test::write_file(scratch / "f", bytes);
    return input_error([&] { read_weights(scratch / "f"); });
  };
  CHECK(fault("") == (scratch / "f") + ": is empty; fetch it or write it again");
  CHECK(contains(fault("<!DOCTYPE html><title>404</title>"), "is a web page"));
  CHECK(contains(fault("version https://git-lfs.github.com/spec/v1\n"), "run git lfs pull"));
  CHECK(contains(fault("some text"), "is text"));
  CHECK(contains(fault("{\"a\":1}"), "is JSON text"));
  CHECK(contains(fault(whole(dict({{"w", integer(1)}}))), "is a plain pickle"));
  CHECK(contains(fault("\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19."), "before version 1.6"));
  CHECK(contains(fault(std::string(100, '\xff')), "claims a header of 18446744073709551615 bytes"));
  CHECK(contains(fault("PK\3\4"), "a zip archive without its end"));
  CHECK(contains(input_error([&] { read_weights(scratch / "none"); }), "there is no such file"));
  CHECK(contains(input_error([&] { read_weights(scratch.path().string()); }), "is a folder"));
}
