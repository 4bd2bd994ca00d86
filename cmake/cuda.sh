#!/bin/sh
# What `make test` does about CUDA here. `flags`: CMake's options where nvcc is 12.8 or newer, otherwise nothing; code is
# made for this machine's GPU or, where there is none, for one kind. `environment`: what the tests are told where there is
# a GPU, so that they fail and do not pass over their cases when it cannot be used. `report BUILD`: a line that says what
# was done.
nvcc=$(command -v nvcc)
release=$([ -z "$nvcc" ] || "$nvcc" --version | sed -n 's/.*release \([0-9]*\)\.\([0-9]*\).*/\1 \2/p')
new_enough() { [ -n "$release" ] && echo "$release" | { read -r major minor; [ "$((major * 100 + minor))" -ge 1208 ]; }; }
has_gpu() { nvidia-smi -L > /dev/null 2>&1; }
case "$1" in
  flags)
    if new_enough; then
      echo "-DIMU2MUSIC_WITH_CUDA=ON -DIMU2MUSIC_CUDA_ARCHITECTURES=$(has_gpu && echo native || echo 90a-real)"
    fi ;;
  environment)
    if has_gpu; then echo "IMU2MUSIC_NEED_GPU=1"; fi ;;
  report)
    if grep -q "^IMU2MUSIC_WITH_CUDA:BOOL=ON" "$2/CMakeCache.txt"; then
      if has_gpu; then
        echo "CUDA: the kernels were compiled with nvcc and ran on the GPU; make test-cuda runs them under compute-sanitizer"
      else
        echo "CUDA: the kernels were compiled with nvcc and, there being no NVIDIA GPU, ran on the CPU only"
      fi
    elif new_enough; then
      echo "CUDA: the kernels ran on the CPU only, through the host harness; nvcc was not asked for"
    else
      echo "CUDA: without nvcc 12.8 or newer the kernels ran on the CPU only, through the host harness"
    fi ;;
esac
