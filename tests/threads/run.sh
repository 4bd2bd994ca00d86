#!/bin/sh
# run.sh PROGRAM: runs it as ThreadSanitizer needs it, which does no harm without one.
#   - its shadow memory has fixed places, which the kernel's randomised ones may run into: randomness off, where we may
#   - with LLVM's OpenMP, the tool that tells it of that library's barriers, where it is there
set -eu
if setarch "$(uname -m)" -R true 2>/dev/null; then
  set -- setarch "$(uname -m)" -R "$@"
fi
for archer in /usr/lib/llvm-*/lib/libarcher.so; do
  [ ! -e "$archer" ] || OMP_TOOL_LIBRARIES=${OMP_TOOL_LIBRARIES:-$archer}
done
TSAN_OPTIONS="halt_on_error=1 ignore_noninstrumented_modules=${OMP_TOOL_LIBRARIES:+1} ${TSAN_OPTIONS:-}"
export OMP_TOOL_LIBRARIES TSAN_OPTIONS
exec "$@"
