// Holds fuzz targets to what target.hpp says. Every allocation through operator new is counted, so that a
// limit is a matter of the input and not of the machine. Under AddressSanitizer, the bytes between the end of
// a mapped file and the end of its last page are poisoned: reading past the file is found there too.
#include "target.hpp"

#include <malloc.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <new>
#include <typeinfo>
#include <vector>

#include "imu2music/core/error.hpp"

#if defined(__SANITIZE_ADDRESS__)
#define FUZZ_POISONS_MAPPINGS 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define FUZZ_POISONS_MAPPINGS 1
#endif
#endif

namespace {

constexpr std::size_t no_limit = SIZE_MAX;
std::atomic<std::size_t> live{0}, limit{no_limit};  // bytes now allocated; where the present input's end

[[noreturn]] void fail(const char* what, const char* more = "") {
  limit = no_limit;
  std::fprintf(stderr, "fuzz: %s%s\n", what, more);
  std::abort();
}

void* counted(void* memory) {
  if (memory == nullptr) throw std::bad_alloc();
  const std::size_t now = live += malloc_usable_size(memory);
  if (now > limit) fail("reading allocates more than ten times the input and the target's constant");
  return memory;
}

void release(void* memory) noexcept {
  if (memory == nullptr) return;
  live -= malloc_usable_size(memory);
  std::free(memory);
}

// A request that cannot be served is told before the system is asked, as the size would not be known
// afterwards.
void check_size(std::size_t bytes) {
  if (limit != no_limit && bytes > limit) fail("one allocation is larger than all that reading may take");
}

std::vector<const fuzz::Target*>& targets() {
  static std::vector<const fuzz::Target*> all;
  return all;
}

std::string& expected_name() {
  static std::string text;
  return text;
}

// One line, printable and with the file's name.
void check_message(const std::string& message) {
  if (message.empty()) fail("an error without a message");
  for (const char c : message)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
      std::string shown;
      for (const char d : message) shown += static_cast<unsigned char>(d) < 0x20 || d == 0x7f ? '?' : d;
      fail("a message with a line break or another control character: ", shown.c_str());
    }
  if (message.find(expected_name()) == std::string::npos)
    fail("a message without the file's name: ", message.c_str());
  if (message.size() > 20000) fail("a message of more than 20000 characters");
}

}  // namespace

// ---- counted memory ------------------------------------------------------------------------------

// GCC, where it sees through the operators below, takes their malloc and free for a mismatch.
#pragma GCC diagnostic ignored "-Wmismatched-new-delete"

void* operator new(std::size_t bytes) {
  check_size(bytes);
  return counted(std::malloc(bytes == 0 ? 1 : bytes));
}
void* operator new[](std::size_t bytes) { return ::operator new(bytes); }
void* operator new(std::size_t bytes, const std::nothrow_t&) noexcept {
  check_size(bytes);
  void* memory = std::malloc(bytes == 0 ? 1 : bytes);
  return memory == nullptr ? nullptr : counted(memory);
}
void* operator new[](std::size_t bytes, const std::nothrow_t& nothrow) noexcept {
  return ::operator new(bytes, nothrow);
}
void* operator new(std::size_t bytes, std::align_val_t alignment) {
  check_size(bytes);
  const auto step = static_cast<std::size_t>(alignment);
  return counted(std::aligned_alloc(step, (bytes + step - 1) / step * step + (bytes == 0 ? step : 0)));
}
void* operator new[](std::size_t bytes, std::align_val_t alignment) {
  return ::operator new(bytes, alignment);
}
void operator delete(void* memory) noexcept { release(memory); }
void operator delete[](void* memory) noexcept { release(memory); }
void operator delete(void* memory, std::size_t) noexcept { release(memory); }
void operator delete[](void* memory, std::size_t) noexcept { release(memory); }
void operator delete(void* memory, const std::nothrow_t&) noexcept { release(memory); }
void operator delete[](void* memory, const std::nothrow_t&) noexcept { release(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { release(memory); }
void operator delete[](void* memory, std::align_val_t) noexcept { release(memory); }
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept { release(memory); }
void operator delete[](void* memory, std::size_t, std::align_val_t) noexcept { release(memory); }

// ---- mapped files --------------------------------------------------------------------------------

#ifdef FUZZ_POISONS_MAPPINGS
#include <sanitizer/asan_interface.h>
#include <sys/mman.h>
#include <unistd.h>

namespace {
std::size_t whole_pages(std::size_t bytes) {
  const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  return (bytes + page - 1) / page * page;
}
}  // namespace

// The linker puts these in the place of mmap and munmap (--wrap).
extern "C" {
void* __real_mmap(void* address, std::size_t bytes, int protection, int flags, int file, off_t offset);
int __real_munmap(void* address, std::size_t bytes);
void* __wrap_mmap(void* address, std::size_t bytes, int protection, int flags, int file, off_t offset) {
  void* memory = __real_mmap(address, bytes, protection, flags, file, offset);
  if (memory != MAP_FAILED && file >= 0)
    __asan_poison_memory_region(static_cast<char*>(memory) + bytes, whole_pages(bytes) - bytes);
  return memory;
}
int __wrap_munmap(void* address, std::size_t bytes) {
  __asan_unpoison_memory_region(address, whole_pages(bytes));
  return __real_munmap(address, bytes);
}
}
#endif

namespace fuzz {

Target::Target(const char* its_loader, void (*read_bytes)(std::string_view), std::size_t its_constant)
    : loader(its_loader), read(read_bytes), constant(its_constant) {
  targets().push_back(this);
}

void require(bool condition, const char* what) {
  if (!condition) fail("what was read is not as it should be: ", what);
}

void allow(std::size_t bytes) { limit = live + bytes; }

void named(const std::string& path) { expected_name() = path; }

const Target* find(std::string_view loader) {
  for (const Target* target : targets())
    if (target->loader == loader) return target;
  return nullptr;
}

const Target& only() {
  if (targets().size() != 1) fail("there should be one target");
  return *targets().front();
}

bool accepts(const Target& target, std::string_view bytes, std::size_t constant) {
  // Memory of just that size, so that reading past its end is found.
  const std::unique_ptr<char[]> copy(new char[bytes.size()]);
  bytes.copy(copy.get(), bytes.size());
  named(name);
  bool read = false;
  try {
    limit = live + 10 * bytes.size() + std::max(constant, target.constant);
    target.read({copy.get(), bytes.size()});
    limit = no_limit;
    read = true;
  } catch (const imu2music::InputError& error) {
    limit = no_limit;
    check_message(error.what());
  } catch (const std::exception& error) {
    limit = no_limit;
    fail("an exception that is no InputError: ",
         (std::string(typeid(error).name()) + ": " + error.what()).c_str());
  }
  return read;
}

}  // namespace fuzz

// libFuzzer's way in.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const fuzz::Target& target = fuzz::only();
  fuzz::accepts(target, {reinterpret_cast<const char*>(data), size});
  return 0;
}
