// Memory: owned blocks aligned to a cache line, and the arena that operations take their results from.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <vector>

namespace imu2music::inline v0 {

constexpr std::size_t buffer_alignment = 64;

// `bytes` of uninitialised memory, freed with its last owner.
inline std::shared_ptr<std::byte> allocate_buffer(std::size_t bytes) {
  auto* memory =
      static_cast<std::byte*>(::operator new(bytes == 0 ? 1 : bytes, std::align_val_t(buffer_alignment)));
  return {memory, [](std::byte* p) { ::operator delete(p, std::align_val_t(buffer_alignment)); }};
}

// A stack of temporaries. take() moves a pointer; release() gives back everything taken since mark(). The
// arena grows by blocks and keeps them, so a task repeated with the same sizes allocates the first time only.
class Arena {
 public:
  struct Mark {
    std::size_t block = 0, used = 0;
  };

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
    std::size_t size = blocks_.empty() ? first_block : 2 * blocks_.back().size;
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
  static constexpr std::size_t first_block = std::size_t{1} << 16;
  struct Block {
    std::shared_ptr<std::byte> memory;
    std::size_t size;
  };
  std::vector<Block> blocks_;
  Mark position_;
};

}  // namespace imu2music::inline v0
