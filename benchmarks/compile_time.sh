#!/usr/bin/env bash
# How long four files take to compile, side by side: compile_time.sh [RUNS]
#   empty        int main alone
#   json         a file that includes nlohmann/json.hpp and nothing else: the measure
#   engine       loads weights and generates, with imu2music/engine.hpp (examples/embed/compiled_engine.cpp)
#   include_all  a file that includes imu2music/imu2music.hpp and uses nothing of it
#   header_only  loads weights and generates, with imu2music/imu2music.hpp (examples/embed/load_and_generate.cpp)
# For each compiler that is here and -O0 and -O2: processor seconds (user and system), the median of RUNS (5). The
# files take turns, so that what else the machine does falls on all of them alike.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
runs=${1:-5}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch"
echo 'int main() {}' >empty.cpp
printf '#include <nlohmann/json.hpp>\nint main() {}\n' >json.cpp
printf '#include <imu2music/imu2music.hpp>\nint main() {}\n' >include_all.cpp
cp "$root/examples/embed/compiled_engine.cpp" engine.cpp
cp "$root/examples/embed/load_and_generate.cpp" header_only.cpp
files="empty json engine include_all header_only"

compilers=""
for name in g++ clang++-14 clang++; do
  command -v "$name" >/dev/null || continue
  case "$compilers" in *clang*) ;; *) compilers="$compilers $name" ;; esac
done

TIMEFORMAT='%U %S'
printf '%-20s %-4s %-12s %9s %8s\n' compiler "" file "median s" "of json"
for compiler in $compilers; do
  for level in -O0 -O2; do
    for file in $files; do : >"$file.times"; done
    for ((run = 0; run < runs; ++run)); do
      for file in $files; do
        { time "$compiler" -std=c++20 "$level" -I "$root/include" -I "$root/kernels" -c "$file.cpp" -o out.o; } \
          2>>"$file.times"
      done
    done
    for file in $files; do
      awk '{ print $1 + $2 }' "$file.times" | sort -g | sed -n "$((runs / 2 + 1))p" >"$file.median"
    done
    for file in $files; do
      printf '%-20s %-4s %-12s %9.2f %8s\n' "$compiler $("$compiler" -dumpversion)" "$level" "$file" \
        "$(cat "$file.median")" "$(awk -v json="$(cat json.median)" '{ printf "%.2f", $1 / json }' "$file.median")"
    done
  done
done
