// The host harness's scheduler and device memory (cuda_runtime.h).
#include "cuda_runtime.h"

#include <sys/mman.h>
#if !defined(__x86_64__)
#include <ucontext.h>
#endif

#include <algorithm>
#include <map>
#include <mutex>
#include <vector>

namespace cuda_host {
namespace {

constexpr std::size_t stack_bytes = std::size_t{256} << 10;
// A value that no shared memory should be read with before it is written.
constexpr unsigned char poison = 0xff;

// Threads of a program take turns: one device, and one thread of it that runs.
std::recursive_mutex turn;

const std::function<void()>* running_kernel = nullptr;
bool cooperative_launch = false;

struct Grid {
  unsigned alive = 0, waiting = 0, generation = 0;
} grid;

// ---- from one stack to another ------------------------------------------------------------------

#if defined(__x86_64__)

extern "C" void cuda_host_switch(void** from, void* to);
asm(R"(
.text
.globl cuda_host_switch
.type cuda_host_switch, @function
cuda_host_switch:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
.size cuda_host_switch, .-cuda_host_switch
)");

void* scheduler_stack = nullptr;

void prepare(Fibre& fibre, void (*entry)()) {
  auto* top = reinterpret_cast<void**>(static_cast<unsigned char*>(fibre.stack) + stack_bytes);
  *--top = nullptr;  // keeps the stack aligned as at a call
  *--top = reinterpret_cast<void*>(entry);
  for (int i = 0; i < 6; ++i) *--top = nullptr;
  fibre.stack_pointer = top;
}
void resume(Fibre& fibre) { cuda_host_switch(&scheduler_stack, fibre.stack_pointer); }
void suspend() { cuda_host_switch(&current->stack_pointer, scheduler_stack); }

#else

ucontext_t scheduler_context;
std::map<Fibre*, ucontext_t> contexts;

void prepare(Fibre& fibre, void (*entry)()) {
  ucontext_t& context = contexts[&fibre];
  getcontext(&context);
  context.uc_stack.ss_sp = fibre.stack;
  context.uc_stack.ss_size = stack_bytes;
  context.uc_link = nullptr;
  makecontext(&context, entry, 0);
}
void resume(Fibre& fibre) { swapcontext(&scheduler_context, &contexts[&fibre]); }
void suspend() { swapcontext(&contexts[current], &scheduler_context); }

#endif

void wait(const unsigned* counter, unsigned target) {
  current->awaited = counter;
  current->target = target;
  suspend();
}

void release_block(Block& block) {
  block.waiting = 0;
  block.voted = block.votes;
  block.votes = 0;
  ++block.generation;
}

void run_fibre() {
  (*running_kernel)();
  Fibre& fibre = *current;
  Block& block = *fibre.block;
  fibre.done = true;
  --block.alive;
  --grid.alive;
  if (block.alive > 0 && block.waiting == block.alive) release_block(block);
  suspend();
  die("a finished thread went on");
}

bool lanes_arrived(const Fibre& fibre) {
  const Warp& warp = fibre.block->warps[fibre.linear / 32];
  for (const unsigned arrived : warp.arrived)
    if (static_cast<int>(arrived - fibre.target) < 0) return false;
  return true;
}

bool can_run(const Fibre& fibre) {
  if (fibre.awaits_warp) return lanes_arrived(fibre);
  return fibre.awaited == nullptr || static_cast<int>(*fibre.awaited - fibre.target) >= 0;
}

void run(std::vector<Fibre>& fibres) {
  std::size_t left = fibres.size();
  while (left > 0) {
    bool progress = false;
    for (Fibre& fibre : fibres) {
      if (fibre.done || !can_run(fibre)) continue;
      progress = true;
      fibre.awaited = nullptr;
      fibre.awaits_warp = false;
      current = &fibre;
      threadIdx = fibre.index;
      blockIdx = fibre.block->index;
      resume(fibre);
      current = nullptr;
      if (fibre.done) --left;
    }
    if (!progress) die("some threads of a block or warp never come to the barrier that others wait at");
  }
}

// ---- device memory ------------------------------------------------------------------------------

constexpr std::size_t device_bytes = std::size_t{8} << 30;
constexpr std::size_t device_alignment = 256;

struct DeviceMemory {
  unsigned char* base = nullptr;
  std::size_t used = 0;
  std::map<unsigned char*, std::size_t> taken;      // by address
  std::multimap<std::size_t, unsigned char*> free;  // by size
  int open = 0;

  static DeviceMemory& get() {
    static DeviceMemory memory;
    return memory;
  }
  void protect(int protection) {
    const std::size_t bytes = (used + 4095) / 4096 * 4096;
    if (bytes > 0 && mprotect(base, bytes, protection) != 0) die("mprotect failed");
  }
};

}  // namespace

DeviceAccess::DeviceAccess() {
  turn.lock();
  if (DeviceMemory::get().open++ == 0) DeviceMemory::get().protect(PROT_READ | PROT_WRITE);
}
DeviceAccess::~DeviceAccess() {
  if (--DeviceMemory::get().open == 0) DeviceMemory::get().protect(PROT_NONE);
  turn.unlock();
}

void exchange(const void* value, std::size_t bytes, unsigned mask) {
  Fibre& fibre = *current;
  Warp& warp = fibre.block->warps[fibre.linear / 32];
  if (mask != 0xffffffffu) die("a warp exchanges values in part only; the harness wants whole warps");
  const unsigned lane = fibre.linear % 32, epoch = warp.arrived[lane]++;
  if (bytes > 0) std::memcpy(warp.value[epoch % 2][lane], value, bytes);
  fibre.target = epoch + 1;
  if (lanes_arrived(fibre)) return;
  fibre.awaits_warp = true;
  suspend();
}

const void* exchanged(unsigned lane) {
  const Warp& warp = current->block->warps[current->linear / 32];
  return warp.value[(warp.arrived[current->linear % 32] - 1) % 2][lane];
}

void barrier() {
  Block& block = *current->block;
  const unsigned target = block.generation + 1;
  if (++block.waiting == block.alive)
    release_block(block);
  else
    wait(&block.generation, target);
}

int vote(int value, int& all) {
  Block& block = *current->block;
  block.votes += value;
  all = static_cast<int>(block.alive);
  barrier();
  return block.voted;
}

void grid_barrier() {
  if (!cooperative_launch) die("a grid's barrier in a launch that is not cooperative");
  const unsigned target = grid.generation + 1;
  if (++grid.waiting == grid.alive) {
    grid.waiting = 0;
    ++grid.generation;
  } else {
    wait(&grid.generation, target);
  }
}

void launch(dim3 blocks, dim3 threads, std::size_t shared, bool cooperative,
            const std::function<void()>& kernel) {
  const std::lock_guard lock(turn);
  const unsigned count = threads.x * threads.y * threads.z;
  if (count == 0 || count > 1024) die("a block has 1 to 1024 threads");
  if (blocks.x == 0 || blocks.y == 0 || blocks.z == 0 || blocks.y > 65535 || blocks.z > 65535)
    die("a grid has 1 to 2^31 - 1, 65535 and 65535 blocks");
  if (shared > std::size_t{227} << 10) die("a block has 227 KiB of shared memory at most");
  if (current != nullptr) die("a kernel launches a kernel");
  static std::vector<void*> stacks;
  const unsigned all = blocks.x * blocks.y * blocks.z, together = cooperative ? all : 1;
  while (stacks.size() < std::size_t{together} * count) {
    void* stack = mmap(nullptr, stack_bytes, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (stack == MAP_FAILED) die("no memory for a thread's stack");
    stacks.push_back(stack);
  }
  DeviceAccess access;
  running_kernel = &kernel;
  cooperative_launch = cooperative;
  blockDim = threads;
  gridDim = blocks;
  std::vector<std::vector<unsigned char>> memory(together, std::vector<unsigned char>(shared + 1024));
  for (unsigned first = 0; first < all; first += together) {
    std::vector<Block> group(together);
    std::vector<Warp> warps(std::size_t{together} * ((count + 31) / 32));
    std::vector<Fibre> fibres(std::size_t{together} * count);
    grid = {together * count, 0, 0};
    for (unsigned n = 0; n < together; ++n) {
      Block& block = group[n];
      const unsigned linear = first + n;
      block.index = {linear % blocks.x, linear / blocks.x % blocks.y, linear / blocks.x / blocks.y};
      block.count = block.alive = count;
      block.fibres = fibres.data() + std::size_t{n} * count;
      block.warps = warps.data() + std::size_t{n} * ((count + 31) / 32);
      std::fill(memory[n].begin(), memory[n].end(), poison);
      void* start = memory[n].data();
      std::size_t room = memory[n].size();
      block.shared = static_cast<unsigned char*>(std::align(1024, shared, start, room));
      for (unsigned t = 0; t < count; ++t) {
        Fibre& fibre = block.fibres[t];
        fibre.block = &block;
        fibre.linear = t;
        fibre.index = {t % threads.x, t / threads.x % threads.y, t / threads.x / threads.y};
        fibre.stack = stacks[std::size_t{n} * count + t];
        prepare(fibre, run_fibre);
      }
      // Lanes that a short last warp lacks are taken as always there.
      for (unsigned t = count; t % 32 != 0; ++t) block.warps[t / 32].arrived[t % 32] = 1u << 30;
    }
    run(fibres);
  }
  running_kernel = nullptr;
}

}  // namespace cuda_host

using cuda_host::DeviceAccess;
using cuda_host::DeviceMemory;

cudaError_t cudaMalloc(void** memory, std::size_t bytes) {
  const std::lock_guard lock(cuda_host::turn);
  DeviceMemory& device = DeviceMemory::get();
  if (device.base == nullptr) {
    void* base =
        mmap(nullptr, cuda_host::device_bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (base == MAP_FAILED) cuda_host::die("no room for device memory");
#ifdef MADV_HUGEPAGE
    madvise(base, cuda_host::device_bytes, MADV_HUGEPAGE);  // fewer pages to open and close
#endif
    device.base = static_cast<unsigned char*>(base);
  }
  bytes = (std::max<std::size_t>(bytes, 1) + cuda_host::device_alignment - 1) / cuda_host::device_alignment *
          cuda_host::device_alignment;
  unsigned char* address = nullptr;
  if (const auto found = device.free.find(bytes); found != device.free.end()) {
    address = found->second;
    device.free.erase(found);
  } else {
    if (device.used + bytes > cuda_host::device_bytes) return cudaErrorMemoryAllocation;
    address = device.base + device.used;
    device.used += bytes;
  }
  device.taken[address] = bytes;
  DeviceAccess access;
  std::memset(address, cuda_host::poison, bytes);  // NaN: what nobody wrote shows
  *memory = address;
  return cudaSuccess;
}

cudaError_t cudaFree(void* memory) {
  if (memory == nullptr) return cudaSuccess;
  const std::lock_guard lock(cuda_host::turn);
  DeviceMemory& device = DeviceMemory::get();
  const auto found = device.taken.find(static_cast<unsigned char*>(memory));
  if (found == device.taken.end()) cuda_host::die("cudaFree of what cudaMalloc did not give");
  device.free.emplace(found->second, found->first);
  device.taken.erase(found);
  return cudaSuccess;
}

cudaError_t cudaMallocHost(void** memory, std::size_t bytes) {
  *memory = std::malloc(bytes);
  return *memory == nullptr ? cudaErrorMemoryAllocation : cudaSuccess;
}
cudaError_t cudaFreeHost(void* memory) {
  std::free(memory);
  return cudaSuccess;
}

cudaError_t cudaMemcpyAsync(void* to, const void* from, std::size_t bytes, cudaMemcpyKind kind,
                            cudaStream_t) {
  const std::lock_guard lock(cuda_host::turn);
  DeviceMemory& device = DeviceMemory::get();
  const auto on_device = [&](const void* p) {
    const auto* byte = static_cast<const unsigned char*>(p);
    return byte >= device.base && byte < device.base + device.used;
  };
  const bool to_device = kind == cudaMemcpyHostToDevice || kind == cudaMemcpyDeviceToDevice;
  const bool from_device = kind == cudaMemcpyDeviceToHost || kind == cudaMemcpyDeviceToDevice;
  if (bytes > 0 && kind != cudaMemcpyDefault &&
      (on_device(to) != to_device || on_device(from) != from_device))
    cuda_host::die("a copy's kind does not fit where its ends are");
  DeviceAccess access;
  std::memmove(to, from, bytes);
  return cudaSuccess;
}

cudaError_t cudaMemsetAsync(void* memory, int value, std::size_t bytes, cudaStream_t) {
  DeviceAccess access;
  std::memset(memory, value, bytes);
  return cudaSuccess;
}
