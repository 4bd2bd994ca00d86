// Memory: owned blocks aligned to a cache line, and the arena and the pool that operations take their results
// from. Large blocks ask for huge pages: a weight or a cache that is read once a token wants as few entries
// of the processor's table of pages as can be.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <new>
#include <utility>
#include <vector>

#ifdef __linux__
#include <sys/mman.h>
#endif

namespace imu2music::inline v0 {

constexpr std::size_t buffer_alignment = 64;

constexpr std::size_t huge_page = std::size_t{1} << 21;

// `bytes` of uninitialised memory, freed with its last owner. The whole huge pages in it are asked for as
// such; where the system has none to give, or none at all, the memory is the same and reading it a little
// slower.
inline std::shared_ptr<std::byte> allocate_buffer(std::size_t bytes) {
  const auto alignment = std::align_val_t(bytes < huge_page ? buffer_alignment : huge_page);
  auto* memory = static_cast<std::byte*>(::operator new(bytes == 0 ? 1 : bytes, alignment));
#ifdef __linux__
  if (bytes >= huge_page) static_cast<void>(madvise(memory, bytes / huge_page * huge_page, MADV_HUGEPAGE));
#endif
  return {memory, [alignment](std::byte* p) { ::operator delete(p, alignment); }};
}

// A stack of temporaries. take() moves a pointer; release() gives back everything taken since mark(). The
// arena grows by blocks and keeps them, so a task repeated with the same sizes allocates the first time only.
class Arena {
 public:
  struct Mark {
    std::size_t block = 0, used = 0;
  };

  Arena() = default;
  explicit Arena(std::size_t first_block) : first_block_(first_block) {}
  // Copies would give out the same memory; what is moved from is empty.
  Arena(Arena&& other) noexcept
      : first_block_(other.first_block_),
        blocks_(std::exchange(other.blocks_, {})),
        position_(std::exchange(other.position_, {})) {}
  Arena& operator=(Arena&& other) noexcept {
    first_block_ = other.first_block_;
    blocks_ = std::exchange(other.blocks_, {});
    position_ = std::exchange(other.position_, {});
    return *this;
  }

  // Uninitialised memory, aligned to a cache line, valid until release() of an earlier mark.
  void* take(std::size_t bytes) {
    bytes = (bytes + buffer_alignment - 1) / buffer_alignment * buffer_alignment;
    while (position_.block < blocks_.size()) {
      Block& block = blocks_[position_.block];
      if (bytes <= block.size - position_.used) {
        void* memory = block.memory.get() + position_.used;
        position_.used += bytes;
        return memory;
      }
      position_ = {position_.block + 1, 0};
    }
    std::size_t size = blocks_.empty() ? first_block_ : 2 * blocks_.back().size;
    if (size < bytes) size = bytes;
    blocks_.push_back({allocate_buffer(size), size});
    position_ = {blocks_.size() - 1, bytes};
    return blocks_.back().memory.get();
  }

  Mark mark() const { return position_; }
  void release(Mark mark) { position_ = mark; }

  std::size_t capacity() const {
    std::size_t total = 0;
    for (const Block& block : blocks_) total += block.size;
    return total;
  }

 private:
  struct Block {
    std::shared_ptr<std::byte> memory;
    std::size_t size;
  };
  std::size_t first_block_ = std::size_t{1} << 16;
  std::vector<Block> blocks_;
  Mark position_;
};

// Blocks that come back when their last owner lets go of them and are given out again, so that a task
// repeated with the same sizes, such as a training step, asks the system for memory the first time only.
// Sizes are rounded up to a multiple of 64 bytes, large ones of the power of two that goes into them four to
// eight times, which wastes a quarter at most. One thread at a time.
class BufferPool {
 public:
  // Uninitialised memory, aligned to a cache line; it may outlive everything but keeps the pool alive.
  static std::shared_ptr<std::byte> take(const std::shared_ptr<BufferPool>& pool, std::size_t bytes) {
    const std::size_t size = rounded(bytes);
    Blocks& blocks = pool->blocks_[size];
    std::shared_ptr<std::byte> block;
    if (blocks.free.empty()) {
      blocks.free.reserve(blocks.made + 1);  // for all of them, so that none needs memory to come back
      block = allocate_buffer(size);
      ++blocks.made;
      pool->capacity_ += size;
    } else {
      block = std::move(blocks.free.back());
      blocks.free.pop_back();
    }
    std::byte* memory = block.get();
    return {memory, [pool, &blocks, block = std::move(block)](std::byte*) mutable {
              blocks.free.push_back(std::move(block));
            }};
  }

  std::size_t capacity() const { return capacity_; }  // bytes, in use or not
  // Gives unused blocks back to the system.
  void trim() {
    for (auto& [size, blocks] : blocks_) {
      capacity_ -= size * blocks.free.size();
      blocks.made -= blocks.free.size();
      blocks.free.clear();
    }
  }

 private:
  static std::size_t rounded(std::size_t bytes) {
    std::size_t step = buffer_alignment;
    while (step * 8 < bytes) step *= 2;
    return bytes == 0 ? step : (bytes + step - 1) / step * step;
  }

  struct Blocks {
    std::vector<std::shared_ptr<std::byte>> free;
    std::size_t made = 0;  // these, and those that are out
  };
  std::map<std::size_t, Blocks> blocks_;  // by size; entries stay where they are
  std::size_t capacity_ = 0;
};

}  // namespace imu2music::inline v0
