// PyTorch checkpoints for the tests: a pickle and storages in a zip archive.
#pragma once

#include <map>
#include <string>

#include "pickle_builder.hpp"
#include "zip_builder.hpp"

namespace test {

struct CheckpointBuilder {
  std::string value;  // the pickled object, without PROTO and STOP
  std::map<std::string, std::string> storages;
  int protocol = 2;
  bool deflate = false;
  bool zip64 = false;
  std::string folder = "archive/";
  std::string byte_order = "little";

  std::string bytes() const {
    ZipBuilder builder;
    builder.zip64 = zip64;
    builder.descriptors = true;
    builder.add(folder + "data.pkl", pickle::whole(value, protocol), deflate);
    if (!byte_order.empty()) builder.add(folder + "byteorder", byte_order);
    for (const auto& [key, data] : storages) builder.add(folder + "data/" + key, data, deflate);
    builder.add(folder + "version", "3\n");
    return builder.bytes();
  }
};

}  // namespace test
