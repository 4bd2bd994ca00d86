#include "imu2music/core/buffer.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

#include "imu2music/core/context.hpp"

using namespace imu2music;

TEST_CASE("a pool gives out again what has come back, of about the same size only") {
  auto pool = std::make_shared<BufferPool>();
  std::byte* first = nullptr;
  {
    const auto block = BufferPool::take(pool, 1000);
    first = block.get();
    CHECK(reinterpret_cast<std::uintptr_t>(first) % buffer_alignment == 0);
    CHECK(BufferPool::take(pool, 1000).get() != first);  // the other is in use
  }
  const std::size_t held = pool->capacity();
  CHECK(held >= 2000);
  CHECK(held <= 2 * 1000 * 9 / 8 + 4 * buffer_alignment);
  for (std::size_t n = 0; n < 5; ++n) CHECK(BufferPool::take(pool, 990 + n).get() != nullptr);
  CHECK(pool->capacity() == held);
  CHECK(BufferPool::take(pool, 5000).get() != first);
  CHECK(pool->capacity() > held);
  pool->trim();
  CHECK(pool->capacity() == 0);
}

TEST_CASE("a block outlives the handle of its pool") {
  auto pool = std::make_shared<BufferPool>();
  auto block = BufferPool::take(pool, 0);
  pool.reset();
  *block = std::byte{1};
  block.reset();
}

TEST_CASE("an arena gives back what was taken after a mark and keeps its memory") {
  Arena arena;
  void* first = arena.take(100);
  const Arena::Mark mark = arena.mark();
  void* second = arena.take(1);
  CHECK(reinterpret_cast<std::uintptr_t>(second) % buffer_alignment == 0);
  CHECK(second != first);
  arena.take(1 << 20);
  const std::size_t capacity = arena.capacity();
  arena.release(mark);
  CHECK(arena.take(1) == second);
  arena.take(1 << 20);
  CHECK(arena.capacity() == capacity);
}

TEST_CASE("an arena that is moved takes its memory along") {
  Arena first;
  void* memory = first.take(100);
  Arena second = std::move(first);
  CHECK(second.capacity() > 0);
  CHECK(first.capacity() == 0);
  CHECK(second.take(100) != memory);
  CHECK(first.take(100) != memory);
  first = std::move(second);
  first.release({});
  CHECK(first.take(100) == memory);
}

TEST_CASE("large blocks begin on a huge page, and all of every block can be written") {
  for (const std::size_t bytes : {huge_page - 1, huge_page, huge_page + 1, 3 * huge_page + 4097}) {
    const auto block = allocate_buffer(bytes);
    const std::size_t alignment = bytes < huge_page ? buffer_alignment : huge_page;
    CHECK(reinterpret_cast<std::uintptr_t>(block.get()) % alignment == 0);
    std::fill_n(block.get(), bytes, std::byte{7});
    CHECK(std::count(block.get(), block.get() + bytes, std::byte{7}) == static_cast<std::ptrdiff_t>(bytes));
  }
}

TEST_CASE("what lasts stands side by side, outlives scopes and keeps its memory alive") {
  Tensor<float> first, second;
  {
    Context context;
    context.set_lasting(std::make_shared<Arena>(4096));
    Arena arena;
    ArenaScope scope(context, arena);
    first = context.allocate_lasting<float>({16});
    second = context.allocate_lasting<float>({16});
    const Tensor<float> temporary = context.allocate<float>({16});
    CHECK(second.data() == first.data() + 16);
    CHECK(temporary.data() != second.data() + 16);
  }
  std::fill_n(first.data(), 16, 1.0f);
  std::fill_n(second.data(), 16, 2.0f);
  CHECK(first[15] == 1);
  CHECK(second[0] == 2);
}
