// PyTorch checkpoints: every form of state dict, hostile archives, and the reference checkpoints.
#include "imu2music/io/torch_checkpoint.hpp"

#include <filesystem>
#include <numeric>

#include "checkpoint_builder.hpp"
#include "damage.hpp"
#include "error_text.hpp"
#include "support.hpp"

using namespace imu2music;
using namespace test::pickle;
using test::CheckpointBuilder;
using test::contains;
using test::input_error;
using test::raw_bytes;

namespace {

std::vector<float> counting(int count) {
  std::vector<float> values(static_cast<std::size_t>(count));
  std::iota(values.begin(), values.end(), 0.0f);
  return values;
}

TensorFile read(const CheckpointBuilder& checkpoint) {
  test::ScratchFolder scratch;
  test::write_file(scratch / "f", checkpoint.bytes());
  return read_torch_checkpoint(scratch / "f");
}

std::string fault_of(const CheckpointBuilder& checkpoint) {
  const std::string message = input_error([&] { read(checkpoint); });
  const std::size_t start = message.find("/f: ");
  return start == std::string::npos ? message : message.substr(start + 4);
}

// A checkpoint of one tensor "w" over the storage "0" of floats 0, 1, 2, …
CheckpointBuilder one(const Bytes& tensor_bytes, int count = 12) {
  CheckpointBuilder checkpoint;
  checkpoint.value = ordered_dict({{"w", tensor_bytes}});
  checkpoint.storages["0"] = raw_bytes(counting(count));
  return checkpoint;
}

std::vector<float> values_in(const CheckpointBuilder& checkpoint) {
  const TensorFile file = read(checkpoint);
  return values_of<float>(*file.find("w"));
}

std::vector<std::string> names_in(const TensorFile& file) {
  std::vector<std::string> names;
  for (const TensorEntry& entry : file.entries()) names.push_back(entry.name);
  return names;
}

// A tensor of two floats over the storage of that key.
Bytes pair(const Bytes& key = "0") { return tensor(storage(key, 2), 0, {2}, {1}); }

CheckpointBuilder around(const Bytes& value) {
  CheckpointBuilder checkpoint;
  checkpoint.value = value;
  checkpoint.storages["0"] = raw_bytes<float>({1, 2});
  return checkpoint;
}

// A realistic whole: wrapped names, several types, shared storage, optimizer state, scalars.
CheckpointBuilder sample() {
  CheckpointBuilder checkpoint;
  checkpoint.value = dict(
      {{"epoch", integer(3)},
       {"model_state_dict",
        ordered_dict({{"module.a.weight", tensor(storage("0", 12), 0, {3, 4}, {4, 1})},
                      {"module.a.turned", tensor(storage("0", 12), 0, {4, 3}, {1, 4})},
                      {"module.bn.num_batches_tracked", tensor(storage("1", 1, "LongStorage"), 0, {}, {})}}) +
            dict({{"_metadata", ordered_dict({{"", dict({{"version", integer(1)}})}})}}) + "b"},
       {"optimizer_state_dict",
        dict({{"state", dict({{"0", dict({{"step", integer(7)}, {"exp_avg", pair("2")}})}})},
              {"param_groups",
               list({dict({{"lr", real(0.1)}, {"betas", tuple({real(0.9), real(0.98)})}})})}})},
       {"loss", real(0.25)},
       {"note", text("caf\xC3\xA9")},
       {"best", boolean(true)}});
  checkpoint.storages["0"] = raw_bytes(counting(12));
  checkpoint.storages["1"] = raw_bytes<std::int64_t>({1LL << 40});
  checkpoint.storages["2"] = raw_bytes<float>({0, 0});
  return checkpoint;
}

}  // namespace

TEST_CASE("a training checkpoint: tensors, what is ignored, scalars as metadata") {
  for (bool deflate : {false, true})
    for (bool zip64 : {false, true})
      for (const char* folder : {"archive/", "", "a b/", "checkpoint.pth/"}) {
        CheckpointBuilder checkpoint = sample();
        checkpoint.deflate = deflate;
        checkpoint.zip64 = zip64;
        checkpoint.folder = folder;
        const TensorFile file = read(checkpoint);
        CHECK(names_in(file) == std::vector<std::string>{"a.weight", "a.turned", "bn.num_batches_tracked"});
        CHECK(file.find("a.weight")->shape == Shape{3, 4});
        CHECK(values_of<float>(*file.find("a.weight")) == counting(12));
        CHECK(values_of<float>(*file.find("a.turned")) ==
              std::vector<float>{0, 4, 8, 1, 5, 9, 2, 6, 10, 3, 7, 11});
        CHECK(file.find("bn.num_batches_tracked")->dtype == Dtype::i64);
        CHECK(file.find("bn.num_batches_tracked")->shape == Shape{});
        CHECK(values_of<std::int64_t>(*file.find("bn.num_batches_tracked")) ==
              std::vector<std::int64_t>{1LL << 40});
        CHECK(file.ignored == std::vector<std::string>{"epoch (3)", "optimizer_state_dict (5 values)",
                                                       "loss (0.25)", "note ('café')", "best (true)"});
        CHECK(file.metadata ==
              std::map<std::string, std::string>{
                  {"epoch", "3"}, {"loss", "0.25"}, {"note", "caf\xC3\xA9"}, {"best", "true"}});
      }
}

TEST_CASE("every storage type") {
  struct Row {
    const char* storage;
    Dtype dtype;
    std::string bytes;
    double value;
  };
  const Row rows[] = {{"FloatStorage", Dtype::f32, raw_bytes<float>({1.5f}), 1.5},
                      {"DoubleStorage", Dtype::f64, raw_bytes<double>({-0.1}), -0.1},
                      {"HalfStorage", Dtype::f16, raw_bytes<std::uint16_t>({0x3c00}), 1},
                      {"BFloat16Storage", Dtype::bf16, raw_bytes<std::uint16_t>({0x3f80}), 1},
                      {"LongStorage", Dtype::i64, raw_bytes<std::int64_t>({-5}), -5},
                      {"IntStorage", Dtype::i32, raw_bytes<std::int32_t>({-5}), -5},
                      {"ShortStorage", Dtype::i16, raw_bytes<std::int16_t>({-5}), -5},
                      {"CharStorage", Dtype::i8, raw_bytes<std::int8_t>({-5}), -5},
                      {"ByteStorage", Dtype::u8, raw_bytes<std::uint8_t>({250}), 250},
                      {"BoolStorage", Dtype::boolean, raw_bytes<std::uint8_t>({1}), 1}};
  for (const Row& row : rows) {
    CheckpointBuilder checkpoint = one(tensor(storage("0", 1, row.storage), 0, {1}, {1}));
    checkpoint.storages["0"] = row.bytes;
    const TensorFile file = read(checkpoint);
    CHECK(file.find("w")->dtype == row.dtype);
    CHECK(values_of<double>(*file.find("w")) == std::vector<double>{row.value});
  }
}

TEST_CASE("views of a storage are gathered; contiguous ones are not") {
  CHECK(values_in(one(tensor(storage("0", 12), 7, {2, 2}, {2, 1}))) == std::vector<float>{7, 8, 9, 10});
  CHECK(values_in(one(tensor(storage("0", 12), 1, {2, 2}, {6, 2}))) == std::vector<float>{1, 3, 7, 9});
  CHECK(values_in(one(tensor(storage("0", 12), 0, {2, 3}, {0, 1}))) == std::vector<float>{0, 1, 2, 0, 1, 2});
  CHECK(values_in(one(tensor(storage("0", 12), 2, {2, 1, 3}, {4, 999999, 1}))) ==
        std::vector<float>{2, 3, 4, 6, 7, 8});
  CHECK(values_in(one(tensor(storage("0", 12), 0, {2, 3, 2}, {1, 4, 2}))) ==
        std::vector<float>{0, 2, 4, 6, 8, 10, 1, 3, 5, 7, 9, 11});
  CHECK(values_in(one(tensor(storage("0", 12), 11, {}, {}))) == std::vector<float>{11});
  CHECK(values_in(one(tensor(storage("0", 12), 12, {0}, {1}))).empty());
  CHECK(values_in(one(tensor(storage("0", 12), 0, {3, 0, 5}, {7, 7, 7}))).empty());
  CHECK(values_in(one(tensor(storage("0", 0), 0, {0}, {1}), 0)).empty());

  test::ScratchFolder scratch;
  CheckpointBuilder checkpoint = one(tensor(storage("0", 12), 4, {2, 4}, {4, 1}));
  checkpoint.value = ordered_dict({{"w", tensor(storage("0", 12), 4, {2, 4}, {4, 1})},
                                   {"tied", tensor(storage("0", 12), 4, {2, 4}, {4, 1})}});
  test::write_file(scratch / "f", checkpoint.bytes());
  const TensorFile file = read_torch_checkpoint(scratch / "f");
  CHECK(file.find("w")->data == file.find("tied")->data);
  CHECK(reinterpret_cast<std::uintptr_t>(file.find("w")->data) % 16 == 0);  // the archive's alignment, kept
}

TEST_CASE("parameters, subclasses, sizes as torch.Size, tensors of an untyped storage") {
  const Bytes w = tensor(storage("0", 12), 0, {2}, {1});
  const std::vector<float> expected = {0, 1};
  CHECK(values_in(one(call(global("torch._utils", "_rebuild_parameter"),
                           {w, boolean(true), ordered_dict({})}))) == expected);
  CHECK(values_in(one(call(global("torch._utils", "_rebuild_parameter_with_state"),
                           {w, boolean(true), ordered_dict({}), dict({})}))) == expected);
  const std::vector<Bytes> arguments = {storage("0", 12), integer(0),     sizes({2}),
                                        sizes({1}),       boolean(false), none()};
  CHECK(values_in(one(call(global("torch._tensor", "_rebuild_from_type_v2"),
                           {global("torch._utils", "_rebuild_tensor_v2"), global("torch", "Tensor"),
                            tuple(arguments), dict({})}))) == expected);
  CHECK(values_in(one(call(global("torch._utils", "_rebuild_tensor"),
                           {storage("0", 12), integer(0), call(global("torch", "Size"), {sizes({2})}),
                            sizes({1})}))) == expected);
  const Bytes untyped = storage("0", 48, "UntypedStorage", "torch.storage");
  CHECK(values_in(one(call(global("torch._utils", "_rebuild_tensor_v3"),
                           {untyped, integer(2), sizes({2}), sizes({1}), boolean(false), none(),
                            global("torch", "float32")}))) == std::vector<float>{2, 3});
  CHECK(contains(fault_of(one(tensor(untyped, 0, {2}, {1}))), "has no element type"));
  CHECK(contains(fault_of(one(call(global("torch._utils", "_rebuild_tensor_v2"),
                                   {storage("0", 12), integer(0), sizes({2}), sizes({1}), boolean(false),
                                    none(), dict({{"neg", boolean(true)}})}))),
                 "negated or conjugated view"));
}

TEST_CASE("protocols 4 and 5 with frames and the memo") {
  for (int protocol : {4, 5}) {
    const Bytes id = "(" + short_text("storage") + "\x94" + stack_global("torch", "FloatStorage") +
                     short_text("0") + "\x94" + short_text("cpu") + "\x94" + "K\x0ct\x94Q";
    const Bytes value = stack_global("torch._utils", "_rebuild_tensor_v2") + "(" + id +
                        "K\x01K\x02K\x03\x86\x94" + "K\x06K\x02\x86\x94\x89" +
                        stack_global("collections", "OrderedDict") + ")R\x94t\x94R\x94";
    CheckpointBuilder checkpoint = one("");
    checkpoint.value = framed("}\x94(" + short_text("w") + "\x94" + value + "u");
    checkpoint.protocol = protocol;
    CHECK(values_in(checkpoint) == std::vector<float>{1, 3, 5, 7, 9, 11});
  }
}

TEST_CASE("where the state dict is found") {
  const std::vector<std::string> w = {"w"};
  const Bytes inner = ordered_dict({{"w", pair()}});
  for (const char* name : {"model_state_dict", "state_dict", "model", "net", "module"})
    CHECK(names_in(read(around(dict({{"x", integer(1)}, {name, inner}})))) == w);
  CHECK(names_in(read(around(inner))) == w);
  CHECK(names_in(read(around(dict({{"model", dict({{"state_dict", inner}})}})))) == w);
  CHECK(names_in(read(around(dict({{"rng", pair()}, {"state_dict", inner}})))) == w);
  // Under no customary name: whichever holds the most.
  const Bytes most = dict({{"p", pair()}, {"q", pair()}});
  const TensorFile file =
      read(around(dict({{"few", inner}, {"x", list({dict({{"deep", most}})})}, {"n", integer(7)}})));
  CHECK(names_in(file) == std::vector<std::string>{"p", "q"});
  CHECK(file.ignored == std::vector<std::string>{"few (1 value)", "n (7)"});
  CHECK(file.metadata.at("n") == "7");
  // What is no tensor in a state dict is told.
  const TensorFile mixed = read(around(dict({{"w", pair()}, {"extra", none()}, {"scale", real(0.5)}})));
  CHECK(names_in(mixed) == w);
  CHECK(mixed.ignored == std::vector<std::string>{"extra (none)", "scale (0.5)"});
  // The optimizer's dicts are never the model.
  CHECK(contains(fault_of(around(dict({{"optimizer", dict({{"a", most}})}}))), "no dict of named tensors"));
  for (const Bytes& nothing : {none(), pair(), list({pair()}), dict({}), dict({{"a", integer(1)}})})
    CHECK(contains(fault_of(around(nothing)), "no dict of named tensors"));
}

TEST_CASE("the prefix of DataParallel goes only where every tensor has it") {
  CHECK(names_in(read(around(dict({{"module.a", pair()}, {"module.module.b", pair()}})))) ==
        std::vector<std::string>{"a", "module.b"});
  CHECK(names_in(read(around(dict({{"module.a", pair()}, {"b", pair()}})))) ==
        std::vector<std::string>{"module.a", "b"});
  CHECK(names_in(read(around(dict({{"module.a", pair()}, {"n", integer(1)}})))) ==
        std::vector<std::string>{"a"});
  CHECK(contains(fault_of(around(dict({{"a", pair()}, {"a", pair()}}))), "two tensors named 'a'"));
}

TEST_CASE("other things that checkpoints hold are read over") {
  const TensorFile file = read(around(
      dict({{"state_dict", dict({{"w", pair()}})},
            {"args", global("argparse", "Namespace") + ")\x81" + dict({{"lr", real(0.1)}}) + "b"},
            {"loss", call(global("numpy.core.multiarray", "scalar"),
                          {call(global("numpy", "dtype"), {text("f8"), boolean(false), boolean(true)}) +
                               tuple({integer(3), text("<"), none()}) + "b",
                           call(global("_codecs", "encode"), {text("xxxxxxxx"), text("latin1")})})},
            {"history", call(global("collections", "defaultdict"), {global("__builtin__", "list")})},
            {"dtype", global("torch", "float32")},
            {"size", call(global("torch", "Size"), {sizes({2, 3})})},
            {"device", call(global("torch", "device"), {text("cuda")})},
            {"seed", "\x8a\x09" + std::string(9, '\x7f')},
            {"set", "\x8f(K\x01\x90"},
            {"raw", "C\x02hi"},
            {"rng", pair()}})));
  CHECK(file.ignored ==
        std::vector<std::string>{"args (argparse.Namespace)", "loss (numpy.core.multiarray.scalar)",
                                 "history (0 values)", "dtype (torch.float32)", "size (torch.Size)",
                                 "device (torch.device)", "seed (a number of more than 64 bits)",
                                 "set (1 value)", "raw (bytes)", "rng (a tensor)"});
  CHECK(file.metadata.empty());
}

TEST_CASE("a pickle that calls os.system is refused by name and runs nothing") {
  test::ScratchFolder scratch;
  const std::string trace = scratch / "trace";
  for (const char* module : {"os", "posix", "nt", "subprocess", "builtins", "__builtin__"})
    for (const char* name : {"system", "eval", "exec", "getattr", "Popen", "__import__"})
      for (int protocol : {2, 4}) {
        const Bytes named = protocol == 2 ? global(module, name) : stack_global(module, name);
        CheckpointBuilder checkpoint =
            around(dict({{"evil", call(named, {text("touch '" + trace + "'")})}, {"w", pair()}}));
        checkpoint.protocol = protocol;
        const std::string full = std::string(module) + "." + name;
        CHECK(fault_of(checkpoint) ==
              "its pickle asks for " + full +
                  ", which is not needed to hold weights; nothing was executed; save only "
                  "the state_dict");
      }
  CHECK_FALSE(std::filesystem::exists(trace));
  CHECK(contains(fault_of(around(global("torch.nn.modules.linear", "Linear"))),
                 "torch.nn.modules.linear.Linear"));
  CHECK(contains(fault_of(around(global("torch", "ComplexFloatStorage"))), "torch.ComplexFloatStorage"));
}

TEST_CASE("tensors that reach beyond their storage") {
  const std::string beyond = "reaches beyond its storage of 12 elements";
  const auto view = [](std::int64_t offset, const std::vector<std::int64_t>& size,
                       const std::vector<std::int64_t>& stride) {
    return fault_of(one(tensor(storage("0", 12), offset, size, stride)));
  };
  CHECK(view(0, {12}, {1}) == "no error");
  CHECK(contains(view(1, {12}, {1}), beyond));
  CHECK(contains(view(0, {13}, {1}), beyond));
  CHECK(contains(view(12, {1}, {1}), beyond));
  CHECK(contains(view(12, {}, {}), beyond));
  CHECK(contains(view(13, {0}, {1}), beyond));
  CHECK(contains(view(-1, {1}, {1}), beyond));
  CHECK(contains(view(0, {2, 2}, {11, 1}), beyond));
  CHECK(contains(view(0, {2}, {INT64_MAX}), beyond));
  CHECK(contains(view(INT64_MAX, {2}, {INT64_MAX}), beyond));
  CHECK(contains(view(1, {3, 3}, {INT64_MAX / 2, INT64_MAX / 2}), beyond));
  CHECK(contains(view(0, {1LL << 40, 1LL << 40}, {0, 0}), "more than 2^58 elements"));
  CHECK(contains(view(0, {1LL << 40}, {0}), "ten times its own size"));
  CHECK(contains(view(0, {1LL << 31, 1LL << 27}, {0, 0}), "ten times its own size"));
  CHECK(contains(view(0, {1LL << 31, 1LL << 31}, {0, 0}), "more than 2^58 elements"));
  CHECK(contains(view(0, {2}, {-1}), "no whole number from 0"));
  CHECK(contains(view(0, {-2}, {1}), "no whole number from 0"));
  CHECK(contains(view(0, {2, 1}, {1}), "sizes without strides"));
  CHECK(contains(view(0, {1, 1, 1, 1, 1, 1, 1}, {1, 1, 1, 1, 1, 1, 1}), "has 7 axes"));
}

TEST_CASE("storages that make no sense") {
  const auto with = [](const Bytes& storage_bytes) {
    return fault_of(one(tensor(storage_bytes, 0, {2}, {1})));
  };
  CHECK(contains(with(storage("0", 11)), "wants a storage of 11 F32, but entry '0' has 48 bytes"));
  CHECK(contains(with(storage("0", 13)), "wants a storage of 13"));
  CHECK(contains(with(storage("0", 1LL << 62)), "wants a storage of"));
  CHECK(contains(with(storage("0", -12)), "makes no sense"));
  CHECK(contains(with(storage("9", 12)), "wants the entry data/9, which is missing"));
  CHECK(contains(with(storage("../data.pkl", 12)), "which is missing"));
  CHECK(contains(with(integer(1)), "has no storage"));
  CHECK(contains(with(text("x") + "Q"), "has no storage"));
  CHECK(contains(with("Pstorage\n"), "has no storage"));
  CHECK(contains(with(tuple({text("storage")}) + "Q"), "makes no sense"));
  CHECK(contains(
      with(tuple({text("module"), global("torch", "FloatStorage"), text("0"), text("cpu"), integer(12)}) +
           "Q"),
      "makes no sense"));
  CHECK(contains(
      with(tuple({text("storage"), global("torch", "Size"), text("0"), text("cpu"), integer(12)}) + "Q"),
      "is a torch.Size"));
  CHECK(contains(fault_of(one(call(global("torch._utils", "_rebuild_tensor_v2"), {}))), "makes no sense"));
  CHECK(contains(fault_of(one(call(global("torch._utils", "_rebuild_tensor_v2"),
                                   {storage("0", 12), text("0"), sizes({2}), sizes({1})}))),
                 "makes no sense"));
  CHECK(contains(fault_of(one(call(global("torch._utils", "_rebuild_tensor_v2"),
                                   {storage("0", 12), integer(0), integer(2), sizes({1})}))),
                 "has no shape"));
  CHECK(contains(fault_of(one(call(global("torch._utils", "_rebuild_tensor_v3"),
                                   {storage("0", 12), integer(0), sizes({2}), sizes({1}), boolean(false),
                                    none(), global("torch", "complex64")}))),
                 "element type that cannot be read"));
}

TEST_CASE("archives that are no checkpoint") {
  CheckpointBuilder checkpoint = sample();
  checkpoint.byte_order = "big";
  CHECK(fault_of(checkpoint) ==
        "was saved with the byte order 'big'; save it again on a little-endian machine");
  checkpoint.byte_order = "";
  CHECK(fault_of(checkpoint) == "no error");

  test::ScratchFolder scratch;
  const auto fault = [&](const std::string& bytes) {
    test::write_file(scratch / "f", bytes);
    return input_error([&] { read_torch_checkpoint(scratch / "f"); });
  };
  CHECK(contains(fault(test::ZipBuilder().add("weights.npy", "x").bytes()), "without a data.pkl"));
  CHECK(contains(fault(test::ZipBuilder().add("a/b/data.pkl", "N.").bytes()), "without a data.pkl"));
  CHECK(contains(fault(test::ZipBuilder().bytes()), "without a data.pkl"));
  CHECK(contains(fault(test::ZipBuilder().add("a/data.pkl", "N.").add("a/constants.pkl", "N.").bytes()),
                 "TorchScript"));
  CHECK(contains(fault(""), "is empty"));
  CHECK(contains(fault("hello"), "is text"));
  CHECK(contains(fault(std::string(64, '\0')), "is no zip archive"));
  CHECK(contains(input_error([&] { read_torch_checkpoint(scratch / "none"); }), "there is no such file"));
}

TEST_CASE("shared values in many places cost no more than their number") {
  // A list of 20000 numbers under 20000 keys: 4e8 values, were they counted one by one.
  std::vector<Bytes> numbers(20000, integer(1));
  Bytes value = "}(" + text("state_dict") + dict({{"w", pair()}}) + text("k") + list(numbers) + "\x94";
  for (int i = 0; i < 20000; ++i) value += integer(i) + std::string("h\0", 2);
  const TensorFile file = read(around(value + "u"));
  CHECK(file.ignored.size() == 20001);
  CHECK(file.ignored.front() == "k (20000 values)");
  CHECK(file.ignored.back() == "19999 (many values)");

  // A text of 80 bytes is hundreds in the list of what is not read, and four in the file.
  Bytes same =
      "}(" + text("state_dict") + dict({{"w", pair()}}) + text("k") + text(std::string(80, '\x01')) + "\x94";
  for (int i = 0; i < 200000; ++i) same += integer(5) + std::string("h\0", 2);
  CHECK(contains(input_error([&] { read(around(same + "u")); }), "memory"));

  // A text of a megabyte under many keys would fill the metadata.
  Bytes wide = "}(" + text("state_dict") + dict({{"w", pair()}}) + text("k") +
               text(std::string(1 << 20, 'x')) + "\x94";
  for (int i = 0; i < 100; ++i) wide += text(std::to_string(i)) + std::string("h\0", 2);
  CHECK(contains(fault_of(around(wide + "u")), "ten times its own size"));
}

TEST_CASE("what lies around is counted through containers in containers") {
  const Bytes lists =
      list({integer(1), list({integer(2), tuple({real(3), list({})})}), dict({{"a", pair()}})});
  const TensorFile file = read(around("}(" + text("k") + lists + text("state_dict") + dict({{"w", pair()}}) +
                                      text("l") + lists + text("m") + integer(5) + "u"));
  CHECK(file.ignored == std::vector<std::string>{"k (4 values)", "l (4 values)", "m (5)"});
}

TEST_CASE("a checkpoint that holds itself") {
  const Bytes own = "}\x94(" + text("self") + std::string("h\0", 2) + text("state_dict") +
                    dict({{"w", pair()}, {"up", std::string("h\0", 2)}}) + "u";
  const TensorFile file = read(around(own));
  CHECK(names_in(file) == std::vector<std::string>{"w"});
  CHECK(contains(fault_of(around("}\x94(" + text("model") + std::string("h\0", 2) + "u")),
                 "no dict of named tensors"));
}

TEST_CASE("a checkpoint cut off anywhere is refused; replaced bytes are found out") {
  const auto read_all = [](const std::string& path) {
    const TensorFile file = read_torch_checkpoint(path);
    for (const TensorEntry& entry : file.entries()) values_of<double>(entry);
  };
  for (bool deflate : {false, true}) {
    CheckpointBuilder checkpoint = sample();
    checkpoint.deflate = deflate;
    const std::string bytes = checkpoint.bytes();
    CHECK(test::truncate_everywhere(bytes, read_all).refused == static_cast<int>(bytes.size()));
    CHECK(test::flip_bytes(bytes, 3000, read_all).refused > 1000);
  }
}

TEST_CASE("a pickle damaged under a right checksum neither crashes nor reads outside") {
  const CheckpointBuilder good = sample();
  const Bytes value = good.value;
  std::mt19937 random(5);
  int refused = 0;
  test::MemoryFile memory;
  for (int round = 0; round < 4000; ++round) {
    CheckpointBuilder bad = good;
    for (auto left = 1 + random() % 3; left > 0; --left)
      bad.value[random() % value.size()] = static_cast<char>(random() % 3 == 0 ? random() % 8 : random());
    if (round % 3 == 0) bad.value.erase(random() % value.size(), 1 + random() % 3);
    test::DamageCount count;
    test::read_damaged(
        memory, bad.bytes(),
        [](const std::string& path) {
          const TensorFile file = read_torch_checkpoint(path);
          for (const TensorEntry& entry : file.entries()) values_of<double>(entry);
        },
        count);
    refused += count.refused;
  }
  CHECK(refused > 2000);
}

TEST_CASE("the reference checkpoints read") {
  const std::string folder = test::shared_file("golden");
  if (folder.empty()) return;
  const std::map<std::string, std::size_t> tensors = {
      {"foley-body25-d32", 136},        {"foley-control-d16", 68}, {"foley-hands-d16", 65},
      {"foley-no-control-d16", 68},     {"imu-conv-d128", 137},    {"imu-conv-d32", 137},
      {"imu-convtransformer-d16", 106}, {"imu-fc-d32", 81},        {"imu-lstm-d32", 87},
      {"music-transformer-d32", 32}};
  for (const auto& [name, count] : tensors) {
    const std::string path = folder + "/" + name + "/checkpoint.pth.tar";
    const TensorFile file = read_torch_checkpoint(path);
    CHECK_MESSAGE(file.entries().size() == count, name);
    CHECK(file.metadata.at("epoch") == "2");
    CHECK(std::stod(file.metadata.at("loss")) > 0);
    CHECK(file.ignored.size() == 3);
    for (const TensorEntry& entry : file.entries()) {
      CHECK_MESSAGE(!entry.name.starts_with("module."), name);
      for (const double value : values_of<double>(entry))
        if (!(value > -1e6 && value < 1e6)) FAIL(name << " " << entry.name << " holds " << value);
    }
  }
  const TensorFile file = read_torch_checkpoint(folder + "/imu-conv-d32/checkpoint.pth.tar");
  REQUIRE(file.find("embedding.weight") != nullptr);
  CHECK(file.find("embedding.weight")->shape == Shape{243, 32});
  CHECK(file.find("embedding.weight")->dtype == Dtype::f32);
  REQUIRE(file.find("transformer.decoder.layers.0.self_attn.Er") != nullptr);
  CHECK(file.find("transformer.decoder.layers.0.self_attn.Er")->shape == Shape{24, 8});
  CHECK(file.find("imu_net.individual_net1.1.num_batches_tracked")->dtype == Dtype::i64);
  CHECK(file.ignored[1] == "optimizer_state_dict (447 values)");
}
