#include "imu2music/core/buffer.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <memory>

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
