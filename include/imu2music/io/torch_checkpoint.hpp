// The weights of a PyTorch checkpoint, as torch.save writes it since version 1.6.
//
//   <any folder>/data.pkl     a pickle of the saved object; tensors refer to storages by persistent ids
//   <any folder>/data/<key>   the bytes of one storage
//   <any folder>/byteorder    "little" or "big"; absent in older files, which are little
//
// Format: torch/serialization.py (_save, _load) and torch/_utils.py (_rebuild_tensor_v2) of PyTorch. The
// pickle is read as data by an allow-list (pickle.hpp); whatever else it asks for is refused by name and
// nothing is executed.
//
// Contiguous tensors in stored (uncompressed) entries stay where they are in the mapped file; others are
// copied. Cost: one pass over the storages of the chosen tensors, for their checksums. Errors: InputError
// that names the file and the tensor or entry.
#pragma once

#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "imu2music/core/dtype.hpp"
#include "imu2music/core/error.hpp"
#include "imu2music/core/shape.hpp"
#include "imu2music/io/byte_budget.hpp"
#include "imu2music/io/file_kind.hpp"
#include "imu2music/io/mapped_file.hpp"
#include "imu2music/io/pickle.hpp"
#include "imu2music/io/tensor_file.hpp"
#include "imu2music/io/text.hpp"
#include "imu2music/io/zip_archive.hpp"

namespace imu2music::inline v0 {

namespace torch_detail {

struct NamedDtype {
  std::string_view name;
  Dtype dtype;
};

constexpr std::array storages = {
    NamedDtype{"torch.FloatStorage", Dtype::f32},  NamedDtype{"torch.DoubleStorage", Dtype::f64},
    NamedDtype{"torch.HalfStorage", Dtype::f16},   NamedDtype{"torch.BFloat16Storage", Dtype::bf16},
    NamedDtype{"torch.LongStorage", Dtype::i64},   NamedDtype{"torch.IntStorage", Dtype::i32},
    NamedDtype{"torch.ShortStorage", Dtype::i16},  NamedDtype{"torch.CharStorage", Dtype::i8},
    NamedDtype{"torch.ByteStorage", Dtype::u8},    NamedDtype{"torch.BoolStorage", Dtype::boolean},
    NamedDtype{"torch.UntypedStorage", Dtype::u8}, NamedDtype{"torch.storage.UntypedStorage", Dtype::u8}};

constexpr std::array dtypes = {
    NamedDtype{"torch.float32", Dtype::f32}, NamedDtype{"torch.float64", Dtype::f64},
    NamedDtype{"torch.float16", Dtype::f16}, NamedDtype{"torch.bfloat16", Dtype::bf16},
    NamedDtype{"torch.int64", Dtype::i64},   NamedDtype{"torch.int32", Dtype::i32},
    NamedDtype{"torch.int16", Dtype::i16},   NamedDtype{"torch.int8", Dtype::i8},
    NamedDtype{"torch.uint8", Dtype::u8},    NamedDtype{"torch.bool", Dtype::boolean}};

// What a checkpoint of weights, optimizer state, numbers, texts and options names. None is ever called.
constexpr std::string_view other_globals[] = {"collections.OrderedDict",
                                              "collections.defaultdict",
                                              "collections.Counter",
                                              "builtins.dict",
                                              "builtins.list",
                                              "builtins.set",
                                              "builtins.frozenset",
                                              "builtins.tuple",
                                              "builtins.int",
                                              "builtins.float",
                                              "builtins.bool",
                                              "builtins.str",
                                              "builtins.bytes",
                                              "builtins.bytearray",
                                              "builtins.complex",
                                              "builtins.range",
                                              "builtins.slice",
                                              "torch._utils._rebuild_tensor",
                                              "torch._utils._rebuild_tensor_v2",
                                              "torch._utils._rebuild_tensor_v3",
                                              "torch._utils._rebuild_parameter",
                                              "torch._utils._rebuild_parameter_with_state",
                                              "torch._tensor._rebuild_from_type_v2",
                                              "torch.Tensor",
                                              "torch.nn.parameter.Parameter",
                                              "torch.Size",
                                              "torch.device",
                                              "torch.serialization._get_layout",
                                              "torch.storage.TypedStorage",
                                              "torch.storage._TypedStorage",
                                              "torch.storage._UntypedStorage",
                                              "torch.complex64",
                                              "torch.complex128",
                                              "numpy.dtype",
                                              "numpy.ndarray",
                                              "numpy.core.multiarray.scalar",
                                              "numpy.core.multiarray._reconstruct",
                                              "argparse.Namespace",
                                              "types.SimpleNamespace",
                                              "_codecs.encode",
                                              "pathlib.PosixPath",
                                              "pathlib.Path"};

inline std::optional<Dtype> dtype_in(const auto& table, std::string_view name) {
  for (const NamedDtype& entry : table)
    if (entry.name == name) return entry.dtype;
  return std::nullopt;
}

inline std::optional<std::string_view> allowed_global(std::string_view module, std::string_view name) {
  if (module.size() + name.size() > 100) return std::nullopt;
  if (module == "__builtin__") module = "builtins";                          // Python 2
  if (module == "numpy._core.multiarray") module = "numpy.core.multiarray";  // NumPy 2
  const std::string full = std::string(module) + "." + std::string(name);
  for (const NamedDtype& entry : storages)
    if (entry.name == full) return entry.name;
  for (const NamedDtype& entry : dtypes)
    if (entry.name == full) return entry.name;
  for (const std::string_view entry : other_globals)
    if (entry == full) return entry;
  return std::nullopt;
}

using Kind = PickleValue::Kind;

// A call that rebuilds a tensor: which function, and its arguments.
struct TensorCall {
  std::string_view function;
  const std::vector<const PickleValue*>* arguments = nullptr;
};

// Sees through what is wrapped around a tensor (Parameter, subclasses); empty where `value` is no tensor.
inline std::optional<TensorCall> tensor_call(const PickleValue& value) {
  const PickleValue* inner = &value;
  for (int depth = 0; depth < 8 && inner->is(Kind::object); ++depth) {
    const std::string_view name = inner->callable->text;
    const auto& arguments = inner->items;
    if (name.starts_with("torch._utils._rebuild_tensor")) return TensorCall{name, &arguments};
    if (name == "torch._tensor._rebuild_from_type_v2") {  // (function, type, arguments, state)
      if (arguments.size() < 3 || !arguments[0]->is(Kind::global) || !arguments[2]->is(Kind::tuple)) break;
      if (arguments[0]->text.starts_with("torch._utils._rebuild_tensor"))
        return TensorCall{arguments[0]->text, &arguments[2]->items};
      if (!arguments[0]->text.starts_with("torch._utils._rebuild_parameter") || arguments[2]->items.empty())
        break;
      inner = arguments[2]->items[0];
    } else if (name.starts_with("torch._utils._rebuild_parameter") ||
               name == "torch.nn.parameter.Parameter") {
      if (arguments.empty()) break;
      inner = arguments[0];
    } else {
      break;
    }
  }
  return std::nullopt;
}

inline bool is_container(const PickleValue& value) {
  return value.is(Kind::dict) || value.is(Kind::list) || value.is(Kind::tuple) || value.is(Kind::set);
}

// The text of a number, truth value or text; nothing for all else.
inline std::optional<std::string> scalar_text(const PickleValue& value) {
  switch (value.kind) {
    case Kind::boolean:
      return value.integer != 0 ? "true" : "false";
    case Kind::integer:
      return std::to_string(value.integer);
    case Kind::real: {
      char digits[40];  // the shortest form that reads back as the same number
      return std::string(digits, std::to_chars(digits, digits + sizeof digits, value.real).ptr);
    }
    case Kind::text:
      return std::string(value.text);
    default:
      return std::nullopt;
  }
}

// Appends; what the vector allocates, beside what it had until then, is taken from the budget.
template <class Value>
void append_within(std::vector<Value>& values, const Value& value, ByteBudget& budget) {
  if (values.size() == values.capacity()) {
    const std::size_t grown = std::max<std::size_t>(16, 2 * values.capacity());
    budget.take(grown * sizeof(Value));
    values.reserve(grown);
  }
  values.push_back(value);
}

// Whether walk number `walk` meets the value for the first time.
inline bool is_new(const PickleValue& value, std::uint32_t walk) {
  return std::exchange(value.walk, walk) != walk;
}

// Counts what lies in values. A hostile pickle can put one large list in a thousand places: the work of all
// counts together is bounded.
class ValueCounter {
 public:
  // `walk`: the number of the last walk over these values.
  ValueCounter(ByteBudget& budget, std::uint32_t walk) : budget_(budget), walk_(walk) {}

  // How many tensors and plain values lie in `value`; what is reached twice counts once. Nothing where that
  // is too much work.
  std::optional<std::size_t> count(const PickleValue& value) {
    ++walk_;
    is_new(value, walk_);
    open_.clear();
    append_within(open_, &value, budget_);
    std::size_t count = 0;
    while (!open_.empty()) {
      const PickleValue& next = *open_.back();
      open_.pop_back();
      const bool dict = next.is(Kind::dict);
      for (std::size_t i = dict ? 1 : 0; i < next.items.size(); i += dict ? 2 : 1) {
        if (visits_ == 0) return std::nullopt;
        --visits_;
        const PickleValue& item = *next.items[i];
        if (!is_new(item, walk_)) continue;
        if (!is_container(item))
          ++count;
        else if (!item.items.empty())
          append_within(open_, &item, budget_);
      }
    }
    return count;
  }

 private:
  ByteBudget& budget_;
  std::uint32_t walk_;
  std::size_t visits_ = std::size_t{1} << 22;
  std::vector<const PickleValue*> open_;  // kept from count to count
};

inline std::string description_of(const PickleValue& value, ValueCounter& counter) {
  if (value.is(Kind::none)) return "none";
  if (value.is(Kind::text)) return in_quotes(value.text);
  if (const auto text = scalar_text(value)) return *text;
  if (is_container(value)) {
    const auto count = counter.count(value);
    return !count ? "many values" : std::to_string(*count) + (*count == 1 ? " value" : " values");
  }
  if (value.is(Kind::object)) return tensor_call(value) ? "a tensor" : std::string(value.callable->text);
  if (value.is(Kind::global)) return std::string(value.text);
  return value.is(Kind::big_integer) ? "a number of more than 64 bits" : "bytes";
}

struct Found {
  const PickleValue* dict = nullptr;
  std::vector<const PickleValue*> outer;  // the containers around it, outermost first
};

inline std::size_t direct_tensors(const PickleValue& value) {
  std::size_t count = 0;
  if (value.is(Kind::dict))
    for (std::size_t i = 0; i < value.items.size(); i += 2)
      count += value.items[i]->is(Kind::text) && tensor_call(*value.items[i + 1]).has_value();
  return count;
}

// The dict of tensors: `root` itself where it holds nothing else, else the one under a customary name, else
// whichever holds the most. The values' first walk.
inline Found find_state_dict(const PickleValue& root, ByteBudget& budget) {
  if (root.is(Kind::dict) && !root.items.empty() && 2 * direct_tensors(root) == root.items.size())
    return {&root, {}};
  Found found{&root, {}};
  while (found.outer.size() < 8) {  // {"model": {"state_dict": {…}}}
    const PickleValue* inner = nullptr;
    for (const char* name :
         {"model_state_dict", "state_dict", "model_state", "model", "network", "net", "module", "weights"}) {
      inner = found.dict->find(name);
      if (inner != nullptr && inner->is(Kind::dict)) break;
      inner = nullptr;
    }
    if (inner == nullptr) break;
    found.outer.push_back(found.dict);
    found.dict = inner;
    if (direct_tensors(*inner) > 0) return found;
  }

  struct Step {
    const PickleValue* value;
    std::size_t from;
  };
  constexpr std::uint32_t walk = 1;
  std::vector<Step> steps{{&root, 0}};
  is_new(root, walk);
  std::size_t most = 0, best = 0;
  for (std::size_t i = 0; i < steps.size(); ++i) {
    const PickleValue& value = *steps[i].value;
    if (const std::size_t count = direct_tensors(value); count > most) {
      most = count;
      best = i;
    }
    const bool dict = value.is(Kind::dict);
    for (std::size_t k = dict ? 1 : 0; k < value.items.size(); k += dict ? 2 : 1) {
      if (dict && value.items[k - 1]->is(Kind::text) && value.items[k - 1]->text.starts_with("optim"))
        continue;
      const PickleValue& item = *value.items[k];
      if (is_container(item) && !item.items.empty() && is_new(item, walk))
        append_within(steps, Step{&item, i}, budget);
    }
  }
  if (most == 0) return {};
  found = {steps[best].value, {}};
  for (std::size_t i = best; i != 0; i = steps[i].from) found.outer.push_back(steps[steps[i].from].value);
  std::reverse(found.outer.begin(), found.outer.end());
  return found;
}

class CheckpointReader {
 public:
  explicit CheckpointReader(const std::string& path)
      : path_(path), file_(open(path)), budget_(path, file_->size()), archive_(file_, budget_) {}

  TensorFile read() {
    const ZipBytes pickle_bytes = archive_.bytes_of(pickle_entry());
    check_byte_order();
    const Pickle pickle(path_, pickle_bytes.text(), budget_, allowed_global);
    const Found found = find_state_dict(pickle.root(), budget_);
    if (found.dict == nullptr)
      throw InputError(path_, "holds no dict of named tensors",
                       "save the model's state_dict with torch.save");

    result_.path = path_;
    result_.keep(file_);
    const PickleValue* inner = found.dict;
    for (auto outer = found.outer.rbegin(); outer != found.outer.rend(); inner = *outer++)
      ignore_all(**outer, inner);
    add_tensors(*found.dict);
    result_.keep(file_);
    return std::move(result_);
  }

 private:
  static constexpr const char* damaged = "the file is damaged: fetch it or save it again";

  static std::shared_ptr<const MappedFile> open(const std::string& path) {
    auto file = std::make_shared<const MappedFile>(path);
    if (!is_zip(file->bytes())) {
      throw_if_foreign(path, file->bytes());
      throw InputError(path, "is no zip archive, as PyTorch checkpoints are",
                       "save it again with torch.save");
    }
    return file;
  }

  // data.pkl stands in one folder of any name, or at the top; sets that folder's name.
  const ZipEntry& pickle_entry() {
    for (const ZipEntry& entry : archive_.entries()) {
      const std::string_view name = entry.name;
      if (!name.ends_with("data.pkl")) continue;
      const std::string_view folder = name.substr(0, name.size() - 8);
      if (!folder.empty() && folder.find('/') != folder.size() - 1) continue;
      prefix_ = folder;
      if (archive_.find(prefix_ + "constants.pkl") != nullptr)
        throw InputError(path_, "is a TorchScript program and not a checkpoint",
                         "save its state_dict with torch.save");
      return entry;
    }
    throw InputError(path_, "is a zip archive without a data.pkl, so no PyTorch checkpoint",
                     "save the model's state_dict with torch.save");
  }

  void check_byte_order() const {
    const ZipEntry* entry = archive_.find(prefix_ + "byteorder");
    if (entry == nullptr) return;
    const std::string order(archive_.bytes_of(*entry).text());
    if (order != "little")
      throw InputError(path_, "was saved with the byte order " + in_quotes(order),
                       "save it again on a little-endian machine");
  }

  // Notes all that `outer` holds beside `chosen`.
  void ignore_all(const PickleValue& outer, const PickleValue* chosen) {
    if (!outer.is(Kind::dict)) return;
    for (std::size_t i = 0; i < outer.items.size(); i += 2)
      if (outer.items[i + 1] != chosen) ignore(*outer.items[i], *outer.items[i + 1]);
  }
  void ignore(const PickleValue& key, const PickleValue& value) {
    const std::string name = key.is(Kind::text) ? printable(key.text) : scalar_text(key).value_or("a key");
    std::string line = name + " (" + description_of(value, counter_) + ")";
    budget_.take(line.capacity() + 3 * sizeof(std::string));  // of which a list that grows holds up to three
    result_.ignored.push_back(std::move(line));
    if (!key.is(Kind::text)) return;
    budget_.take(key.text.size() + (value.is(Kind::text) ? value.text.size() : 0) + 256);
    if (auto text = scalar_text(value)) result_.metadata[std::string(key.text)] = *std::move(text);
  }

  void add_tensors(const PickleValue& dict) {
    // torch.nn.DataParallel puts "module." before every name.
    constexpr std::string_view wrapper = "module.";
    bool wrapped = true;
    for (std::size_t i = 0; i < dict.items.size(); i += 2)
      if (dict.items[i]->is(Kind::text) && tensor_call(*dict.items[i + 1]))
        wrapped = wrapped && dict.items[i]->text.starts_with(wrapper);
    for (std::size_t i = 0; i < dict.items.size(); i += 2) {
      const PickleValue& key = *dict.items[i];
      const PickleValue& value = *dict.items[i + 1];
      const auto call = tensor_call(value);
      if (!key.is(Kind::text) || !call) {
        ignore(key, value);
        continue;
      }
      TensorEntry entry = tensor_of(*call, "tensor " + in_quotes(key.text));
      entry.name = key.text.substr(wrapped ? wrapper.size() : 0);
      budget_.take(sizeof(TensorEntry) + 2 * entry.name.size() + 64);
      if (!result_.add(std::move(entry)))
        throw InputError(path_, "has two tensors named " + in_quotes(key.text), damaged);
    }
  }

  struct Storage {
    Dtype dtype = Dtype::u8;
    bool typed = true;
    std::int64_t count = 0;  // of elements; of bytes where untyped
    const std::byte* data = nullptr;
  };

  // ('storage', type, key, device, element count)
  Storage storage_of(const PickleValue& reference, const std::string& where) {
    if (!reference.is(Kind::persistent) || !reference.items[0]->is(Kind::tuple))
      throw InputError(path_, where + " has no storage", damaged);
    const auto& id = reference.items[0]->items;
    if (id.size() < 5 || !id[0]->is(Kind::text) || id[0]->text != "storage" || !id[1]->is(Kind::global) ||
        !id[2]->is(Kind::text) || !id[4]->is(Kind::integer) || id[4]->integer < 0)
      throw InputError(path_, where + " has a storage that makes no sense", damaged);
    const auto dtype = dtype_in(storages, id[1]->text);
    if (!dtype)
      throw InputError(path_, where + " is a " + std::string(id[1]->text),
                       "convert it to float32 and save it again");
    Storage storage;
    storage.dtype = *dtype;
    storage.typed = !id[1]->text.ends_with("UntypedStorage");
    storage.count = id[4]->integer;
    const ZipBytes& bytes = storage_bytes(id[2]->text, where);
    const auto byte_count = static_cast<std::int64_t>(bytes.bytes.size());
    if (storage.count > byte_count || storage.count * size_of(storage.dtype) != byte_count)
      throw InputError(path_,
                       where + " wants a storage of " + std::to_string(storage.count) + " " +
                           name_of(storage.dtype) + ", but entry " + in_quotes(id[2]->text) + " has " +
                           std::to_string(byte_count) + " bytes",
                       damaged);
    storage.data = bytes.bytes.data();
    return storage;
  }

  const ZipBytes& storage_bytes(std::string_view key, const std::string& where) {
    const auto known = storages_.find(key);
    if (known != storages_.end()) return known->second;
    const ZipEntry* entry = archive_.find(prefix_ + "data/" + std::string(key));
    if (entry == nullptr)
      throw InputError(path_, where + " wants the entry data/" + printable(key) + ", which is missing",
                       damaged);
    ZipBytes bytes = archive_.bytes_of(*entry);
    result_.keep(bytes.owner);
    return storages_.emplace(std::string(key), std::move(bytes)).first->second;
  }

  TensorEntry tensor_of(const TensorCall& call, const std::string& where) {
    const auto& arguments = *call.arguments;
    const bool third = call.function.ends_with("_v3");
    if (arguments.size() < (third ? 7u : 4u) || !arguments[1]->is(Kind::integer))
      throw InputError(path_, where + " makes no sense", damaged);
    const std::size_t extras = third ? 7 : 6;
    if (arguments.size() > extras && arguments[extras]->is(Kind::dict))
      for (std::size_t i = 1; i < arguments[extras]->items.size(); i += 2)
        if (arguments[extras]->items[i]->is(Kind::boolean) && arguments[extras]->items[i]->integer != 0)
          throw InputError(path_, where + " is a negated or conjugated view",
                           "save a copy of it (resolve_neg, resolve_conj)");

    const Storage storage = storage_of(*arguments[0], where);
    TensorEntry entry;
    entry.dtype = storage.dtype;
    if (third) {
      const auto dtype = arguments[6]->is(Kind::global) ? dtype_in(dtypes, arguments[6]->text) : std::nullopt;
      if (!dtype)
        throw InputError(path_, where + " has an element type that cannot be read",
                         "convert it to float32 and save it again");
      entry.dtype = *dtype;
    } else if (!storage.typed) {
      throw InputError(path_, where + " has no element type", damaged);
    }

    const std::int64_t item = size_of(entry.dtype);
    const std::int64_t available = storage.count * size_of(storage.dtype) / item;  // elements in the storage
    const std::vector<std::int64_t> sizes = sizes_of(*arguments[2], where);
    std::vector<std::int64_t> strides = sizes_of(*arguments[3], where);
    const std::int64_t offset = arguments[1]->integer;
    if (sizes.size() != strides.size())
      throw InputError(path_, where + " has sizes without strides", damaged);
    if (sizes.size() > static_cast<std::size_t>(Shape::max_rank))
      throw InputError(path_, where + " has " + std::to_string(sizes.size()) + " axes",
                       "up to 6 can be used");
    try {
      for (const std::int64_t size : sizes) entry.shape.push_back(size);
    } catch (const ShapeError&) {
      throw InputError(path_, where + " claims more than 2^58 elements", damaged);
    }

    const std::int64_t count = entry.shape.element_count();
    bool fits = offset >= 0 && offset <= available;
    bool contiguous = true;
    std::int64_t last = offset, dense_stride = 1;
    for (int axis = entry.shape.rank() - 1; fits && count > 0 && axis >= 0; --axis) {
      const auto i = static_cast<std::size_t>(axis);
      if (sizes[i] == 1) continue;  // its stride is never used
      std::int64_t reach = 0;
      fits = !__builtin_mul_overflow(sizes[i] - 1, strides[i], &reach) &&
             !__builtin_add_overflow(last, reach, &last);
      contiguous = contiguous && strides[i] == dense_stride;
      dense_stride *= sizes[i];
    }
    if (!fits || (count > 0 && last >= available))
      throw InputError(path_,
                       where + " " + entry.shape.to_string() + " reaches beyond its storage of " +
                           std::to_string(available) + " elements",
                       damaged);

    const std::byte* first = storage.data + offset * item;
    if (contiguous || count == 0) {
      entry.data = first;
    } else {
      entry.data = gather(first, entry.shape, strides, item);
    }
    entry.byte_count = count * item;
    return entry;
  }

  std::vector<std::int64_t> sizes_of(const PickleValue& value, const std::string& where) const {
    const PickleValue* tuple = &value;
    if (tuple->is(Kind::object) && tuple->callable->text == "torch.Size" && tuple->items.size() == 1)
      tuple = tuple->items[0];
    std::vector<std::int64_t> sizes;
    if (!tuple->is(Kind::tuple) && !tuple->is(Kind::list))
      throw InputError(path_, where + " has no shape", damaged);
    for (const PickleValue* item : tuple->items) {
      if (!item->is(Kind::integer) || item->integer < 0)
        throw InputError(path_, where + " has a size or stride that is no whole number from 0", damaged);
      sizes.push_back(item->integer);
    }
    return sizes;
  }

  // Copies a strided view, whose every element lies in its storage, to memory of its own, row-major.
  const std::byte* gather(const std::byte* first, const Shape& shape,
                          const std::vector<std::int64_t>& strides, std::int64_t item) {
    const std::int64_t count = shape.element_count();
    budget_.take(static_cast<std::uint64_t>(count) * static_cast<std::uint64_t>(item));
    std::shared_ptr<std::byte[]> memory(new std::byte[static_cast<std::size_t>(count * item)]);
    std::int64_t index[Shape::max_rank] = {};
    std::int64_t from = 0;
    for (std::int64_t to = 0; to < count; ++to) {
      std::memcpy(memory.get() + to * item, first + from * item, static_cast<std::size_t>(item));
      for (int axis = shape.rank() - 1; axis >= 0; --axis) {
        const std::int64_t stride = strides[static_cast<std::size_t>(axis)];
        // An axis of one element never advances: its stride may be anything.
        if (++index[axis] < shape[axis]) {
          from += stride;
          break;
        }
        if (shape[axis] > 1) from -= (shape[axis] - 1) * stride;
        index[axis] = 0;
      }
    }
    result_.keep(memory);
    return memory.get();
  }

  std::string path_;
  std::shared_ptr<const MappedFile> file_;
  ByteBudget budget_;
  ZipArchive archive_;
  std::string prefix_;
  std::map<std::string, ZipBytes, std::less<>> storages_;
  ValueCounter counter_{budget_, 1};  // after find_state_dict()'s walk
  TensorFile result_;
};

}  // namespace torch_detail

// Reads the state dict: the saved object itself where it is one, else what stands under model_state_dict,
// state_dict, model, …, else the dict anywhere inside that holds the most tensors. A "module." before every
// name is taken away. Optimizer state and whatever else lies around goes into `ignored`, single numbers and
// texts also into `metadata` under their names.
inline TensorFile read_torch_checkpoint(const std::string& path) {
  return torch_detail::CheckpointReader(path).read();
}

}  // namespace imu2music::inline v0
