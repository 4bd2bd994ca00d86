#!/bin/sh
# build.sh COMPILER OPENMP_FLAG SOURCE FOLDER: compiles with nothing but -I, links and runs. OPENMP_FLAG may be empty.
set -eu
mkdir -p "$4"
cd "$4"
# Every public header, whether imu2music.hpp has it or not: but the engine's one definition, and what needs Eigen.
(cd "$3/include" && find imu2music -name '*.hpp' ! -name engine_implementation.hpp ! -name eigen.hpp | LC_ALL=C sort |
  sed 's/.*/#include <&>/') > everything.hpp
compile() { "$@" -std=c++20 -O0 -I "$source/include" -I "$source/kernels" -I . ; }
source=$3
compile "$1" $2 -c "$3/tests/consumers/bare/main.cpp" -o main.o
compile "$1" -c "$3/tests/consumers/bare/other.cpp" -o other.o
"$1" $2 main.o other.o -lz -o consumer
./consumer
