// Pickles: each opcode of protocols 2 to 5 in the form Python writes it, and what must be refused.
#include "imu2music/io/pickle.hpp"

#include <bit>
#include <functional>
#include <random>

#include "error_text.hpp"
#include "pickle_builder.hpp"
#include "support.hpp"

using namespace imu2music;
using namespace test::pickle;
using test::contains;
using test::input_error;
using Kind = PickleValue::Kind;

namespace {

std::optional<std::string_view> some_globals(std::string_view module, std::string_view name) {
  const std::string full = std::string(module) + "." + std::string(name);
  for (const std::string_view known : {"collections.OrderedDict", "collections.defaultdict", "builtins.set",
                                       "builtins.list", "a.f", "a.b.Class"})
    if (known == full) return known;
  return std::nullopt;
}

// A value in a form that can be compared: [1, 'two', {'k': a.f(3)}].
std::string shown(const PickleValue& value) {
  const auto list = [&](const char* open, const char* close) {
    std::string text = open;
    for (std::size_t i = 0; i < value.items.size(); ++i) {
      if (i > 0) text += ", ";
      text += shown(*value.items[i]);
    }
    return text + close;
  };
  switch (value.kind) {
    case Kind::none:
      return "None";
    case Kind::boolean:
      return value.integer != 0 ? "True" : "False";
    case Kind::integer:
      return std::to_string(value.integer);
    case Kind::big_integer:
      return "big" + std::to_string(value.text.size());
    case Kind::real:
      return std::to_string(value.real);
    case Kind::text:
      return std::string("'").append(value.text) + "'";
    case Kind::bytes:
      return std::string("b'").append(value.text) + "'";
    case Kind::list:
      return list("[", "]");
    case Kind::tuple:
      return list("(", ")");
    case Kind::set:
      return list("set(", ")");
    case Kind::dict:
      return list("{", "}") + (value.state != nullptr ? std::string("|") + shown(*value.state) : "");
    case Kind::global:
      return std::string(value.text);
    case Kind::persistent:
      return list("<", ">");
    case Kind::object:
      return shown(*value.callable) + list("(", ")") +
             (value.state != nullptr ? std::string("|") + shown(*value.state) : "");
  }
  return "?";
}

std::string read(const std::string& bytes) {
  ByteBudget budget("f", static_cast<std::int64_t>(bytes.size()));
  return shown(Pickle("f", bytes, budget, some_globals).root());
}
std::string fault_of(const std::string& bytes) {
  return input_error([&] { read(bytes); });
}

}  // namespace

TEST_CASE("numbers, truth values, texts") {
  CHECK(read("N.") == "None");
  CHECK(read(whole(tuple({boolean(true), boolean(false)}))) == "(True, False)");
  CHECK(read("K\xff.") == "255");
  CHECK(read("M\xff\xff.") == "65535");
  CHECK(read("J\xfe\xff\xff\xff.") == "-2");
  CHECK(read(std::string("\x8a\x00.", 3)) == "0");
  CHECK(read("\x8a\x01\xff.") == "-1");
  CHECK(read(std::string("\x8a\x02\xff\x00.", 5)) == "255");
  CHECK(read("\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7f.") == "9223372036854775807");
  CHECK(read(std::string("\x8a\x09\xff\xff\xff\xff\xff\xff\xff\xff\x00.", 12)) == "big9");
  CHECK(read(std::string("\x8b\x02\x00\x00\x00\x00\x80.", 8)) == "-32768");
  CHECK(read(real(-1.5) + ".") == "-1.500000");
  CHECK(read(std::string("G\x3f\xc0\x00\x00\x00\x00\x00\x00.", 10)) == "0.125000");
  CHECK(read(std::string("X\x02\x00\x00\x00hi.", 8)) == "'hi'");
  CHECK(read("\x8c\x02hi.") == "'hi'");
  CHECK(read(std::string("\x8d\x02\0\0\0\0\0\0\0hi.", 12)) == "'hi'");
  CHECK(read("U\x02hi.") == "'hi'");
  CHECK(read(std::string("T\x02\0\0\0hi.", 8)) == "'hi'");
  CHECK(read("C\x02hi.") == "b'hi'");
  CHECK(read(std::string("B\x02\0\0\0hi.", 8)) == "b'hi'");
  CHECK(read(std::string("\x8e\x02\0\0\0\0\0\0\0hi.", 12)) == "b'hi'");
  CHECK(read(std::string("\x96\x02\0\0\0\0\0\0\0hi.", 12)) == "b'hi'");
}

TEST_CASE("containers") {
  CHECK(read("].") == "[]");
  CHECK(read(").") == "()");
  CHECK(read("}.") == "{}");
  CHECK(read("\x8f.") == "set()");
  CHECK(read("]K\x01"
             "a.") == "[1]");
  CHECK(read("](K\x01K\x02"
             "e.") == "[1, 2]");
  CHECK(read("K\x01\x85.") == "(1)");
  CHECK(read("K\x01K\x02\x86.") == "(1, 2)");
  CHECK(read("K\x01K\x02K\x03\x87.") == "(1, 2, 3)");
  CHECK(read("(K\x01K\x02K\x03K\x04t.") == "(1, 2, 3, 4)");
  CHECK(read("(K\x01K\x02l.") == "[1, 2]");
  CHECK(read("(K\x01K\x02"
             "d.") == "{1, 2}");
  CHECK(read("}K\x01K\x02s.") == "{1, 2}");
  CHECK(read("}(K\x01K\x02K\x03K\x04u.") == "{1, 2, 3, 4}");
  CHECK(read("\x8f(K\x01K\x02\x90.") == "set(1, 2)");
  CHECK(read("(K\x01K\x02\x91.") == "set(1, 2)");
  CHECK(read("](](K\x01"
             "ee.") == "[[1]]");
}

TEST_CASE("the stack and the memo") {
  CHECK(read("K\x01K\x02"
             "0.") == "1");
  CHECK(read("K\x01(0.") == "1");  // POP takes a mark off
  CHECK(read("K\x01(K\x02K\x03"
             "1.") == "1");
  CHECK(read("K\x01"
             "2\x86.") == "(1, 1)");
  CHECK(read(std::string("K\x01q\x05h\x05\x86.", 8)) == "(1, 1)");
  CHECK(read(std::string("K\x01r\x05\x01\x00\x00j\x05\x01\x00\x00\x86.", 14)) == "(1, 1)");
  CHECK(read(std::string("K\x01\x94K\x02\x94h\x00h\x01\x86\x86\x86.", 14)) == "(1, (2, (1, 2)))");
  CHECK(read(proto(4) + framed("K\x01.")) == "1");
  CHECK(read(whole("K\x01", 5)) == "1");
}

TEST_CASE("globals and calls are recorded, dicts and sets are made") {
  CHECK(read(global("a", "f") + ".") == "a.f");
  CHECK(read(proto(4) + stack_global("a.b", "Class") + ".") == "a.b.Class");
  CHECK(read(call(global("a", "f"), {integer(1), text("x")}) + ".") == "a.f(1, 'x')");
  CHECK(read(global("a", "f") + ")\x81.") == "a.f()");
  CHECK(read(global("a", "f") + ")}\x92.") == "a.f()");
  CHECK(read(global("a", "f") + ")\x81" + dict({{"k", integer(1)}}) + "b.") == "a.f()|{'k', 1}");
  CHECK(read(ordered_dict({{"k", integer(1)}}) + "}b.") == "{'k', 1}|{}");
  CHECK(read(call(global("collections", "OrderedDict"), {list({list({text("k"), integer(1)})})}) + ".") ==
        "{'k', 1}");
  CHECK(read(call(global("collections", "OrderedDict"), {dict({{"k", integer(1)}})}) + ".") == "{'k', 1}");
  CHECK(read(call(global("collections", "defaultdict"), {global("builtins", "list")}) + dict({}) + "0.") ==
        "{}");
  CHECK(read(call(global("builtins", "set"), {list({integer(1)})}) + ".") == "set(1)");
  CHECK(read(text("id") + "Q.") == "<'id'>");
  CHECK(read("Pid\n.") == "<'id'>");
}

TEST_CASE("a list that holds itself and a tower of shared lists cost nothing") {
  const std::string own = "]q" + std::string(1, '\0') + "h" + std::string(1, '\0') + "a.";
  ByteBudget budget("f", static_cast<std::int64_t>(own.size()));
  const Pickle pickle("f", own, budget, some_globals);
  CHECK(pickle.root().items[0] == &pickle.root());

  std::string tower = "]";
  for (int i = 0; i < 200; ++i) tower += "2\x86";  // 2^200 leaves, were it copied
  tower += ".";
  ByteBudget other("f", static_cast<std::int64_t>(tower.size()));
  const Pickle shared("f", tower, other, some_globals);
  CHECK(shared.root().items[0] == shared.root().items[1]);
}

TEST_CASE("a memo whose indices are chosen against it costs no more than another") {
  // Indices that all fall into one bucket of a hash table of 42043, each recalled: minutes in such a table.
  const auto four_bytes = [](std::uint32_t value) {
    std::string text;
    for (int i = 0; i < 4; ++i) text += static_cast<char>(value >> 8 * i & 255);
    return text;
  };
  std::string body = "N";
  for (std::uint32_t i = 0; i < 42042; ++i) body += "r" + four_bytes(i * 42043);
  for (int i = 0; i < 200000; ++i) body += "0j" + four_bytes(0);
  CHECK(read(whole(body)) == read(whole("N")));
}

TEST_CASE("nesting a hundred thousand deep does not touch the C++ stack") {
  std::string deep(100'000, ']');
  deep += std::string(99'999, 'a') + ".";
  ByteBudget budget("f", static_cast<std::int64_t>(deep.size()));
  CHECK(Pickle("f", deep, budget, some_globals).root().items.size() == 1);
}

TEST_CASE("a global that is not on the list ends the reading, by name") {
  const std::string os =
      "f: its pickle asks for os.system, which is not needed to hold weights; nothing was executed; "
      "save only the state_dict";
  CHECK(fault_of(whole(call(global("os", "system"), {text("true")}))) == os);
  CHECK(fault_of(proto(4) + stack_global("os", "system") + "\x8c\4true\x85R.") == os);
  CHECK(fault_of("cos\nsystem\n(S'true'\ntR.") == os);
  CHECK(fault_of("(S'true'\nios\nsystem\n.").find("opcode 83") != std::string::npos);
  CHECK(fault_of("(\x8c\4trueios\nsystem\n.") == os);
  CHECK(contains(fault_of(whole(global("builtins", "eval"))), "asks for builtins.eval,"));
  CHECK(contains(fault_of(whole(global("a\x1b[31m", "f"))), "asks for a\\x1b[31m.f,"));
  CHECK(fault_of(whole(global(std::string(5000, 'a'), "f"))).size() < 300);
  CHECK(contains(fault_of("(\x8c\4trueia\nf\n."), "opcode 105"));
}

TEST_CASE("opcodes of other protocols are refused") {
  for (const char* bytes : {"S'x'\n.", "Vx\n.", "I1\n.", "L1L\n.", "F1\n.", "Np1\n.", "g1\n.", "(ca\nf\no.",
                            "\x82\x01.", "\x83\x01\x01.", "\x97.", "\x98.", "\xff.", "\n."})
    CHECK(contains(fault_of(bytes), "its pickle has the opcode"));
  CHECK(contains(fault_of("\x80\x06N."), "protocol 6"));
}

TEST_CASE("damaged pickles") {
  const std::string zero(1, '\0');
  for (const std::string& bytes : {std::string(""),
                                   std::string("N"),
                                   std::string("."),
                                   std::string("0."),
                                   std::string("K"),
                                   std::string("M\x01"),
                                   std::string("t."),
                                   std::string("(."),
                                   std::string("1."),
                                   std::string("2."),
                                   std::string("a."),
                                   std::string("Na."),
                                   std::string("]a."),
                                   std::string("NNa."),
                                   std::string("}Ns."),
                                   std::string("}(Nu."),
                                   std::string("(Nd."),
                                   std::string("N(NNu."),
                                   std::string("](NN\x90."),
                                   std::string("\x85."),
                                   std::string("N\x86."),
                                   std::string("NN\x87."),
                                   std::string("(N(\x85."),
                                   std::string("h\1."),
                                   std::string("j\1\0\0\0.", 6),
                                   std::string("q\1."),
                                   std::string("\x94."),
                                   std::string("\x93."),
                                   std::string("NN\x93."),
                                   std::string("cos"),
                                   std::string("cos\nsystem"),
                                   std::string("NNR."),
                                   std::string("ca\nf\nNR."),
                                   std::string("N)R."),
                                   std::string("NNb."),
                                   std::string("Q."),
                                   std::string("Pid"),
                                   std::string("X\xff\xff\xff\xffhi."),
                                   std::string("\x8d\xff\xff\xff\xff\xff\xff\xff\xffhi."),
                                   std::string("\x8b\xff\xff\xff\x7fhi."),
                                   std::string("\x95\x02") + std::string(7, '\0') + ".",
                                   call(global("collections", "OrderedDict"), {integer(1)}) + ".",
                                   call(global("collections", "OrderedDict"), {list({integer(1)})}) + "."})
    CHECK_MESSAGE(contains(fault_of(bytes), "its pickle is damaged at byte"), bytes);
}

TEST_CASE("what a few bytes ask for is bounded") {
  CHECK(contains(fault_of(std::string(3'000'000, ']')), "ten times its own size"));  // 72 bytes of each byte
  CHECK(contains(fault_of("N" + std::string(2'000'000, '2')), "more than 2^20 values"));
  CHECK(contains(fault_of(std::string(2'000'000, '(')), "more than 2^20 marks"));
  std::string memo = "N";
  for (int i = 0; i < 600'000; ++i) memo += "\x94";
  CHECK(contains(fault_of(memo), "ten times its own size"));
}

TEST_CASE("random bytes and random opcodes end in a value or an InputError") {
  std::mt19937 random(99);
  const std::string opcodes =
      "(.012KMN]})tadeluQPRbqhcXC\x80\x81\x85\x86\x87\x88\x89\x8a\x8c\x8f\x90\x91\x92\x93\x94\x95";
  int values = 0;
  for (int round = 0; round < 30000; ++round) {
    std::string bytes;
    const auto size = static_cast<unsigned>(random() % 60);
    for (unsigned i = 0; i < size; ++i)
      bytes += random() % 3 == 0 ? static_cast<char>(random() % 4) : opcodes[random() % opcodes.size()];
    bytes += '.';
    ByteBudget budget("f", static_cast<std::int64_t>(bytes.size()));
    try {
      Pickle pickle("f", bytes, budget, some_globals);
      ++values;
    } catch (const InputError&) {
    }
  }
  CHECK(values > 100);
}
