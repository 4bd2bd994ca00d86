// For tests of kernels: the columns this processor has, reproducible numbers, unaligned buffers, and
// comparison.
#pragma once

#include <doctest/doctest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmath>
#include <cstdint>
#include <cstring>
#include <new>
#include <vector>

#include "cpu/dispatch.hpp"

namespace test {

// The columns to hold against the scalar one. One that the processor lacks is skipped, saying so.
inline std::vector<imu2music::kernels::Isa> vector_columns() {
  using imu2music::kernels::Isa;
  std::vector<Isa> columns;
  for (Isa isa : {Isa::avx2, Isa::avx512}) {
    if (imu2music::kernels::cpu_has(isa))
      columns.push_back(isa);
    else
      MESSAGE("skipped: this processor has no " << imu2music::kernels::name_of(isa));
  }
  return columns;
}

// Reproducible numbers in [-1, 1).
class Numbers {
 public:
  explicit Numbers(std::uint64_t seed) : state_(seed * 0x9e3779b97f4a7c15u + 1) {}
  double next() {
    state_ ^= state_ << 13;
    state_ ^= state_ >> 7;
    state_ ^= state_ << 17;
    return static_cast<double>(state_ >> 11) * 0x1p-52 - 1.0;
  }

 private:
  std::uint64_t state_;
};

// `count` numbers that start `offset` elements after a 64-byte boundary, between guards that overwrites would
// change.
template <class T>
class GuardedBuffer {
 public:
  GuardedBuffer(std::int64_t count, std::int64_t offset) : count_(count) {
    constexpr std::int64_t line = 64 / sizeof(T);
    storage_.assign(static_cast<std::size_t>(count + 2 * guard + offset + line), guard_value());
    const auto misalignment =
        static_cast<std::int64_t>(reinterpret_cast<std::uintptr_t>(storage_.data()) % 64);
    begin_ = (64 - misalignment) % 64 / static_cast<std::int64_t>(sizeof(T)) + guard + offset;
  }
  GuardedBuffer(std::int64_t count, std::int64_t offset, Numbers& numbers) : GuardedBuffer(count, offset) {
    for (std::int64_t i = 0; i < count; ++i) data()[i] = static_cast<T>(numbers.next());
  }
  T* data() { return storage_.data() + begin_; }
  const T* data() const { return storage_.data() + begin_; }
  std::int64_t size() const { return count_; }
  T& operator[](std::int64_t i) { return data()[i]; }
  bool guards_intact() const {
    for (std::int64_t i = 0; i < static_cast<std::int64_t>(storage_.size()); ++i)
      if ((i < begin_ || i >= begin_ + count_) && storage_[static_cast<std::size_t>(i)] != guard_value())
        return false;
    return true;
  }

 private:
  static constexpr std::int64_t guard = 32;  // a multiple of 16 floats keeps the offset from the boundary
  static T guard_value() { return T(-12345.678); }
  std::vector<T> storage_;
  std::int64_t count_ = 0, begin_ = 0;
};

// `count` numbers that end where a page without access begins (Edge::after), or begin where one ends: a
// kernel that reads past them is stopped. Lanes that a vector instruction masks out are not accesses.
enum class Edge { before, after };

template <class T>
class EdgeBuffer {
 public:
  EdgeBuffer(std::int64_t count, Edge edge) {
    const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
    const std::size_t bytes = static_cast<std::size_t>(count) * sizeof(T);
    const std::size_t inside = (bytes + page - 1) / page * page;
    size_ = inside + page;
    mapping_ = mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mapping_ == MAP_FAILED) throw std::bad_alloc();
    char* begin = static_cast<char*>(mapping_);
    mprotect(edge == Edge::after ? begin + inside : begin, page, PROT_NONE);
    data_ = reinterpret_cast<T*>(edge == Edge::after ? begin + inside - bytes : begin + page);
  }
  EdgeBuffer(const std::vector<T>& values, Edge edge)
      : EdgeBuffer(static_cast<std::int64_t>(values.size()), edge) {
    if (!values.empty()) std::memcpy(data_, values.data(), values.size() * sizeof(T));
  }
  EdgeBuffer(const EdgeBuffer&) = delete;
  EdgeBuffer& operator=(const EdgeBuffer&) = delete;
  ~EdgeBuffer() { munmap(mapping_, size_); }
  T* data() { return data_; }
  T& operator[](std::int64_t i) { return data_[i]; }

 private:
  void* mapping_ = nullptr;
  std::size_t size_ = 0;
  T* data_ = nullptr;
};

// `count` reproducible numbers in [-1, 1), exact in float.
template <class T>
std::vector<T> some_numbers(std::int64_t count, std::uint64_t seed) {
  Numbers numbers(seed);
  std::vector<T> values(static_cast<std::size_t>(count));
  for (T& value : values) value = static_cast<T>(static_cast<float>(numbers.next()));
  return values;
}

// Whether two stretches hold the same bits, whatever the numbers, NaN included.
template <class T>
bool same_bits(const T* a, const T* b, std::int64_t count) {
  return std::memcmp(a, b, static_cast<std::size_t>(count) * sizeof(T)) == 0;
}

// The scalar column and those this processor has.
inline std::vector<imu2music::kernels::Isa> all_columns() {
  std::vector<imu2music::kernels::Isa> columns = vector_columns();
  columns.insert(columns.begin(), imu2music::kernels::Isa::scalar);
  return columns;
}

// The largest |a - b| / (1 + |b|).
template <class T, class U>
double max_difference(const T* a, const U* b, std::int64_t count) {
  double worst = 0;
  for (std::int64_t i = 0; i < count; ++i) {
    double difference = std::abs(double(a[i]) - double(b[i])) / (1 + std::abs(double(b[i])));
    if (!(difference <= worst)) worst = difference;  // catches NaN too
  }
  return worst;
}

}  // namespace test
