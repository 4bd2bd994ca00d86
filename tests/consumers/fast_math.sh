#!/bin/sh
# fast_math.sh COMPILER SOURCE: every public header that tells NaN or infinity from numbers refuses -ffast-math, by the
# sentence of core/finite_math.hpp, and takes it where -fno-finite-math-only follows.
set -eu
cd "$2/include"
compile() { # FLAGS: the header in $header, preprocessed
  echo "#include <$header>" | "$compiler" -std=c++20 -I . -I ../kernels "$@" -E -x c++ - 2>&1 > /dev/null
}
compiler=$1
count=0
wrong=0
for header in $(grep -rlE 'isnan|isfinite|isinf|infinity\(\)|quiet_NaN' imu2music | LC_ALL=C sort); do
  count=$((count + 1))
  if compile -ffast-math | grep -q "add -fno-finite-math-only" &&
    [ -z "$(compile -ffast-math -fno-finite-math-only)" ]; then continue; fi
  echo "$header should include core/finite_math.hpp"
  wrong=1
done
echo "$count headers"
[ "$count" -ge 30 ] && [ "$wrong" -eq 0 ]
