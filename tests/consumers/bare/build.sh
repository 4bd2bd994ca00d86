#!/bin/sh
# build.sh COMPILER OPENMP_FLAG SOURCE FOLDER: compiles with nothing but -I, links and runs. OPENMP_FLAG may be empty.
set -eu
mkdir -p "$4"
cd "$4"
flags="-std=c++20 -I $3/include -I $3/kernels"
"$1" $flags $2 -c "$3/tests/consumers/bare/main.cpp" -o main.o
"$1" $flags -c "$3/tests/consumers/bare/other.cpp" -o other.o
"$1" $2 main.o other.o -lz -o consumer
./consumer
