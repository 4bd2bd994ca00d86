#!/bin/sh
# build.sh COMPILER OPENMP_FLAG SOURCE FOLDER: compiles with nothing but -I, links and runs. OPENMP_FLAG may be empty.
set -eu
mkdir -p "$4"
cd "$4"
# Every public header, whether imu2music.hpp has it or not: but the engine's one definition, and what needs Eigen.
(cd "$3/include" && find imu2music -name '*.hpp' ! -name engine_implementation.hpp ! -name eigen.hpp | LC_ALL=C sort |
  sed 's/.*/#include <&>/') > everything.hpp
flags="-std=c++20 -O0 -I $3/include -I $3/kernels -I ."
"$1" $flags $2 -c "$3/tests/consumers/bare/main.cpp" -o main.o
"$1" $flags -c "$3/tests/consumers/bare/other.cpp" -o other.o
"$1" $2 main.o other.o -lz -o consumer
./consumer
