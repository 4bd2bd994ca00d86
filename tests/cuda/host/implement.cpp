// Every CUDA column, compiled for the CPU.
#include <cuda/implement.cu>
