// Python's pickle, protocols 2 to 5, read as data: nothing is looked up, called or imported.
//
// A pickle is a program for a stack machine (Python's Lib/pickletools.py describes its opcodes; PEP 307, 3154
// and 574 the protocols). Here that machine only ever builds the tree below. Where Python would import a
// global and call it (REDUCE, NEWOBJ, BUILD), an Object node records the global's name and its arguments. The
// caller's filter decides which globals may be named at all; any other ends the reading with an InputError
// that names it.
//
// Opcodes of the text protocols 0 and 1, of the extension registry (EXT) and of out-of-band buffers are
// refused. Memory comes from the caller's ByteBudget, nesting costs none of the C++ stack, and cycles (a list
// that holds itself) are possible in the result: who walks it keeps note of where he has been.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "imu2music/core/error.hpp"
#include "imu2music/io/byte_budget.hpp"
#include "imu2music/io/text.hpp"

namespace imu2music::inline v0 {

struct PickleValue {
  enum class Kind {
    none,
    boolean,      // integer
    integer,      // integer
    big_integer,  // text: its little-endian two's complement bytes, more than 8
    real,         // real
    text,         // text, UTF-8
    bytes,        // text
    list,         // items
    tuple,        // items
    set,          // items
    dict,         // items: key, value, key, value, …
    global,       // text: "module.name", from the filter
    persistent,   // items: the one value that identifies something outside the pickle
    object        // callable applied to items; state, if any, as BUILD set it
  };
  Kind kind = Kind::none;
  mutable std::uint32_t walk = 0;  // the number of the last walk that met it, for a reader of one thread
  union {
    std::int64_t integer = 0;
    double real;
  };
  std::string_view text;  // into the pickle's bytes
  std::vector<const PickleValue*> items;
  const PickleValue* callable = nullptr;
  const PickleValue* state = nullptr;

  bool is(Kind other) const { return kind == other; }
  // The value under a text key of a dict, or null. O(n).
  const PickleValue* find(std::string_view key) const {
    if (kind != Kind::dict) return nullptr;
    for (std::size_t i = 0; i + 1 < items.size(); i += 2)
      if (items[i]->is(Kind::text) && items[i]->text == key) return items[i + 1];
    return nullptr;
  }
};

// The canonical "module.name" of a global that may be named (a view that never dies), or nothing.
using PickleGlobalFilter = std::optional<std::string_view> (*)(std::string_view module,
                                                               std::string_view name);

// The values of one pickle. Texts point into the bytes it was read from, which must stay.
class Pickle {
 public:
  Pickle(std::string path, std::string_view bytes, ByteBudget& budget, PickleGlobalFilter filter)
      : path_(std::move(path)), bytes_(bytes), budget_(&budget), filter_(filter) {
    root_ = run();
    stack_ = {};
    marks_ = {};
    memo_ = {};
  }
  Pickle(const Pickle&) = delete;
  Pickle& operator=(const Pickle&) = delete;

  const PickleValue& root() const { return *root_; }

 private:
  using Kind = PickleValue::Kind;
  // By their names in pickletools.
  enum class Op : unsigned char {
    // clang-format off
    mark = '(', stop = '.', pop = '0', pop_mark = '1', dup = '2', proto = 0x80, frame = 0x95,
    binput = 'q', long_binput = 'r', memoize = 0x94, binget = 'h', long_binget = 'j',
    none = 'N', newtrue = 0x88, newfalse = 0x89, binint = 'J', binint1 = 'K', binint2 = 'M', long1 = 0x8a,
    long4 = 0x8b, binfloat = 'G',
    binunicode = 'X', short_binunicode = 0x8c, binunicode8 = 0x8d, binstring = 'T', short_binstring = 'U',
    binbytes = 'B', short_binbytes = 'C', binbytes8 = 0x8e, bytearray8 = 0x96,
    empty_list = ']', empty_tuple = ')', empty_dict = '}', empty_set = 0x8f, tuple1 = 0x85, tuple2 = 0x86,
    tuple3 = 0x87, tuple = 't', list = 'l', dict = 'd', frozenset = 0x91,
    append = 'a', appends = 'e', additems = 0x90, setitem = 's', setitems = 'u',
    global = 'c', stack_global = 0x93, inst = 'i', reduce = 'R', newobj = 0x81, newobj_ex = 0x92, build = 'b',
    persid = 'P', binpersid = 'Q'
    // clang-format on
  };
  static constexpr std::size_t deepest_stack = std::size_t{1} << 20;

  [[noreturn]] void fail(const std::string& reason) const {
    throw InputError(path_, "its pickle is damaged at byte " + std::to_string(place_) + " (" + reason + ")",
                     "fetch it or write it again");
  }

  // ---- the bytes ---------------------------------------------------------------------------------
  std::string_view take(std::uint64_t byte_count) {
    if (byte_count > bytes_.size() - place_) fail("it ends too early");
    const std::string_view taken = bytes_.substr(place_, byte_count);
    place_ += byte_count;
    return taken;
  }
  std::uint64_t take_number(int byte_count) {
    std::uint64_t value = 0;
    std::memcpy(&value, take(static_cast<std::uint64_t>(byte_count)).data(),
                static_cast<std::size_t>(byte_count));
    return value;
  }
  std::string_view take_line() {
    const std::size_t end = bytes_.find('\n', place_);
    if (end == std::string_view::npos) fail("a line without end");
    const std::string_view line = take(end - place_);
    ++place_;
    return line;
  }

  // ---- the stack ---------------------------------------------------------------------------------
  PickleValue* make(Kind kind) {
    budget_->take(sizeof(PickleValue));
    PickleValue& value = arena_.emplace_back();
    value.kind = kind;
    return &value;
  }
  PickleValue* push(PickleValue* value) {
    if (stack_.size() >= deepest_stack) fail("more than 2^20 values on its stack");
    stack_.push_back(value);
    return value;
  }
  PickleValue* push(Kind kind) { return push(make(kind)); }
  void push_integer(std::int64_t integer) { push(Kind::integer)->integer = integer; }
  void push_text(Kind kind, std::string_view text) { push(kind)->text = text; }

  std::size_t floor() const { return marks_.empty() ? 0 : marks_.back(); }
  PickleValue* top() const {
    if (stack_.size() <= floor()) fail("its stack is empty");
    return stack_.back();
  }
  PickleValue* pop() {
    PickleValue* value = top();
    stack_.pop_back();
    return value;
  }
  using Items = std::vector<const PickleValue*>;
  void append(Items& to, std::size_t first_on_stack) {
    budget_->take((stack_.size() - first_on_stack) * sizeof(void*));
    to.insert(to.end(), stack_.begin() + static_cast<std::ptrdiff_t>(first_on_stack), stack_.end());
    stack_.resize(first_on_stack);
  }
  // Takes off what stands above the topmost mark, and the mark.
  Items pop_to_mark() {
    if (marks_.empty()) fail("a mark is missing");
    Items items;
    append(items, marks_.back());
    marks_.pop_back();
    return items;
  }
  Items pop_items(std::size_t count) {
    if (stack_.size() - floor() < count) fail("its stack is empty");
    Items items;
    append(items, stack_.size() - count);
    return items;
  }
  void push_as(Kind kind, Items items) {
    if (kind == Kind::dict && items.size() % 2 != 0) fail("a key without a value");
    push(kind)->items = std::move(items);
  }
  void extend(Kind kind, const char* what, const Items& items) {
    PickleValue* target = top();
    if (!target->is(kind)) fail(std::string("no ") + what + " to add to");
    if (kind == Kind::dict && items.size() % 2 != 0) fail("a key without a value");
    budget_->take(items.size() * sizeof(void*));
    target->items.insert(target->items.end(), items.begin(), items.end());
  }

  // ---- what Python would call --------------------------------------------------------------------
  void push_global(std::string_view module, std::string_view name) {
    const std::optional<std::string_view> known = filter_(module, name);
    if (!known) {
      const std::string full =
          in_quotes(std::string(module.substr(0, 80)) + "." + std::string(name.substr(0, 80)));
      throw InputError(path_,
                       "its pickle asks for " + full.substr(1, full.size() - 2) +
                           ", which is not needed to hold weights; nothing was executed",
                       "save only the state_dict");
    }
    push_text(Kind::global, *known);
  }

  void push_call(const PickleValue* callable, const PickleValue* arguments) {
    if (!callable->is(Kind::global)) fail("a call of what is no global");
    if (!arguments->is(Kind::tuple)) fail("a call without a tuple of arguments");
    const std::string_view name = callable->text;
    const bool is_dict =
        name == "collections.OrderedDict" || name == "collections.Counter" || name == "builtins.dict";
    if (name == "collections.defaultdict" || (is_dict && arguments->items.empty())) {
      push(Kind::dict);
    } else if (is_dict && arguments->items.size() == 1) {
      const PickleValue* source = arguments->items[0];
      PickleValue* dict = make(Kind::dict);
      budget_->take(2 * source->items.size() * sizeof(void*));
      if (source->is(Kind::dict)) {
        dict->items = source->items;
      } else {
        if (!source->is(Kind::list) && !source->is(Kind::tuple))
          fail("a dict made of neither dict nor pairs");
        for (const PickleValue* pair : source->items) {
          if ((!pair->is(Kind::list) && !pair->is(Kind::tuple)) || pair->items.size() != 2)
            fail("a dict made of what are no pairs");
          dict->items.insert(dict->items.end(), pair->items.begin(), pair->items.end());
        }
      }
      push(dict);
    } else if ((name == "builtins.set" || name == "builtins.frozenset" || name == "builtins.list") &&
               arguments->items.size() <= 1) {
      PickleValue* made = make(name == "builtins.list" ? Kind::list : Kind::set);
      if (!arguments->items.empty()) {
        budget_->take(arguments->items[0]->items.size() * sizeof(void*));
        made->items = arguments->items[0]->items;
      }
      push(made);
    } else {
      PickleValue* object = make(Kind::object);
      object->callable = callable;
      budget_->take(arguments->items.size() * sizeof(void*));
      object->items = arguments->items;
      push(object);
    }
  }

  void remember(std::uint64_t index) {
    budget_->take(64);
    memo_[index] = top();
  }
  void recall(std::uint64_t index) {
    const auto found = memo_.find(index);
    if (found == memo_.end()) fail("it recalls what it never stored");
    push(found->second);
  }

  void push_real(std::string_view big_endian) {
    std::uint64_t value = 0;
    for (const char byte : big_endian) value = value << 8 | static_cast<unsigned char>(byte);
    push(Kind::real)->real = std::bit_cast<double>(value);
  }
  void push_long(std::string_view bytes) {
    if (bytes.size() > 8) return push_text(Kind::big_integer, bytes);
    std::uint64_t value = 0;
    std::memcpy(&value, bytes.data(), bytes.size());
    const int unused = 64 - 8 * static_cast<int>(bytes.size());
    // Up and back down again: the sign bit fills what is missing.
    push_integer(bytes.empty() ? 0 : static_cast<std::int64_t>(value << unused) >> unused);
  }

  const PickleValue* run() {
    while (true) {
      const auto opcode = static_cast<Op>(take(1)[0]);
      switch (opcode) {
        case Op::proto: {
          const std::uint64_t protocol = take_number(1);
          if (protocol > 5)
            throw InputError(path_, "its pickle has protocol " + std::to_string(protocol),
                             "2 to 5 can be read");
          break;
        }
        case Op::frame:  // the size of what follows; nothing to do, but it must be there
          if (take_number(8) > bytes_.size() - place_) fail("a frame beyond its end");
          break;
        case Op::stop:
          return pop();

        case Op::mark:
          if (marks_.size() >= deepest_stack) fail("more than 2^20 marks on its stack");
          marks_.push_back(stack_.size());
          break;
        case Op::pop:  // a mark too, if it is on top
          if (!marks_.empty() && marks_.back() == stack_.size())
            marks_.pop_back();
          else
            pop();
          break;
        case Op::pop_mark:
          pop_to_mark();
          break;
        case Op::dup:
          push(top());
          break;
        case Op::binput:
          remember(take_number(1));
          break;
        case Op::long_binput:
          remember(take_number(4));
          break;
        case Op::memoize:
          remember(memo_.size());
          break;
        case Op::binget:
          recall(take_number(1));
          break;
        case Op::long_binget:
          recall(take_number(4));
          break;

        case Op::none:
          push(Kind::none);
          break;
        case Op::newtrue:
          push(Kind::boolean)->integer = 1;
          break;
        case Op::newfalse:
          push(Kind::boolean);
          break;
        case Op::binint:
          push_integer(static_cast<std::int32_t>(take_number(4)));
          break;
        case Op::binint1:
          push_integer(static_cast<std::int64_t>(take_number(1)));
          break;
        case Op::binint2:
          push_integer(static_cast<std::int64_t>(take_number(2)));
          break;
        case Op::long1:
          push_long(take(take_number(1)));
          break;
        case Op::long4:
          push_long(take(take_number(4)));
          break;
        case Op::binfloat:
          push_real(take(8));
          break;

        case Op::short_binunicode:
        case Op::short_binstring:
          push_text(Kind::text, take(take_number(1)));
          break;
        case Op::binunicode:
        case Op::binstring:
          push_text(Kind::text, take(take_number(4)));
          break;
        case Op::binunicode8:
          push_text(Kind::text, take(take_number(8)));
          break;
        case Op::short_binbytes:
          push_text(Kind::bytes, take(take_number(1)));
          break;
        case Op::binbytes:
          push_text(Kind::bytes, take(take_number(4)));
          break;
        case Op::binbytes8:
        case Op::bytearray8:
          push_text(Kind::bytes, take(take_number(8)));
          break;

        case Op::empty_list:
          push(Kind::list);
          break;
        case Op::empty_tuple:
          push(Kind::tuple);
          break;
        case Op::empty_dict:
          push(Kind::dict);
          break;
        case Op::empty_set:
          push(Kind::set);
          break;
        case Op::tuple1:
          push_as(Kind::tuple, pop_items(1));
          break;
        case Op::tuple2:
          push_as(Kind::tuple, pop_items(2));
          break;
        case Op::tuple3:
          push_as(Kind::tuple, pop_items(3));
          break;
        case Op::tuple:
          push_as(Kind::tuple, pop_to_mark());
          break;
        case Op::list:
          push_as(Kind::list, pop_to_mark());
          break;
        case Op::dict:
          push_as(Kind::dict, pop_to_mark());
          break;
        case Op::frozenset:
          push_as(Kind::set, pop_to_mark());
          break;
        case Op::append:
          extend(Kind::list, "list", pop_items(1));
          break;
        case Op::appends:
          extend(Kind::list, "list", pop_to_mark());
          break;
        case Op::additems:
          extend(Kind::set, "set", pop_to_mark());
          break;
        case Op::setitem:
          extend(Kind::dict, "dict", pop_items(2));
          break;
        case Op::setitems:
          extend(Kind::dict, "dict", pop_to_mark());
          break;

        case Op::global: {
          const std::string_view module = take_line();
          push_global(module, take_line());
          break;
        }
        case Op::stack_global: {
          const Items names = pop_items(2);
          if (!names[0]->is(Kind::text) || !names[1]->is(Kind::text)) fail("a global without a name");
          push_global(names[0]->text, names[1]->text);
          break;
        }
        case Op::inst: {  // of protocol 0, but what it asks for is worth naming
          const std::string_view module = take_line();
          push_global(module, take_line());
          refuse(opcode);
        }
        case Op::newobj_ex:
          pop();
          [[fallthrough]];  // keyword arguments say nothing about weights
        case Op::newobj:
        case Op::reduce: {
          const Items call = pop_items(2);
          push_call(call[0], call[1]);
          break;
        }
        case Op::build: {
          const PickleValue* state = pop();
          PickleValue* object = top();
          if (!object->is(Kind::object) && !object->is(Kind::dict)) fail("a state for what can have none");
          object->state = state;
          break;
        }
        case Op::binpersid:
          push_as(Kind::persistent, pop_items(1));
          break;
        case Op::persid:
          push_text(Kind::text, take_line());
          push_as(Kind::persistent, pop_items(1));
          break;
        default:
          refuse(opcode);
      }
    }
  }

  [[noreturn]] void refuse(Op opcode) const {
    throw InputError(path_,
                     "its pickle has the opcode " + std::to_string(static_cast<int>(opcode)) + " at byte " +
                         std::to_string(place_ - 1) + ", which protocols 2 to 5 do not use for weights",
                     "save it again with torch.save");
  }

  std::string path_;
  std::string_view bytes_;
  std::size_t place_ = 0;
  ByteBudget* budget_;
  PickleGlobalFilter filter_;
  std::deque<PickleValue> arena_;
  std::vector<PickleValue*> stack_;
  std::vector<std::size_t> marks_;
  std::map<std::uint64_t, PickleValue*> memo_;  // no hash, whose collisions a file could choose
  const PickleValue* root_ = nullptr;
};

}  // namespace imu2music::inline v0
