# Thin wrappers; everything is built by CMake. On Debian 12, `make demo` and `make test` install what is missing.
BUILD ?= build
JOBS ?= $(shell nproc)
PROGRAM = "$(BUILD)/imu2music"
# A command whose output is shown where it fails.
logged = mkdir -p "$(BUILD)" && { $(1) > "$(BUILD)/configure.log" 2>&1 || { cat "$(BUILD)/configure.log"; exit 1; }; }

.PHONY: all demo test test-sanitize test-threads test-cuda fuzz bench bench-compare bench-cuda peers-packages configure-bench bench-compile docs dependencies configure clean

all: configure
	cmake --build "$(BUILD)" -j$(JOBS) --target imu2music_program demo_compose

dependencies:
	@sh cmake/dependencies.sh

configure: dependencies
	@$(call logged,cmake -S . -B "$(BUILD)" -DCMAKE_BUILD_TYPE=Release $(CUDA_FLAGS) $(CMAKE_FLAGS))

# A score of our own, the simulated motion of a violinist who bows it, and the music that our weights make of the bow arm.
demo: all
	@mkdir -p demo
	"$(BUILD)/examples/demo/demo_compose" demo/score.mid
	$(PROGRAM) simulate demo/score.mid -o demo/recording --seed 1
	$(PROGRAM) generate demo/recording --weights weights/default.safetensors --sensors 1=myo1 --temperature 0.3 --seed 1 \
	  -o demo/music.mid --wav demo/music.wav --svg demo/music.svg
	@echo "The motion was simulated; weights/default.md says what these weights can and cannot do."
	@ls -l demo/music.mid demo/music.wav demo/music.svg

# With nvcc the CUDA columns too; on a GPU where there is one.
test: CUDA_FLAGS = $(shell sh cmake/cuda.sh flags)
test: configure
	cmake --build "$(BUILD)" -j$(JOBS)
	$(shell sh cmake/cuda.sh environment) ctest --test-dir "$(BUILD)" --output-on-failure -j$(JOBS)
	@sh cmake/cuda.sh report "$(BUILD)"

# The whole suite under AddressSanitizer and UndefinedBehaviorSanitizer.
test-sanitize: dependencies
	cmake --preset asan+ubsan
	cmake --build --preset asan+ubsan -j$(JOBS)
	ctest --preset asan+ubsan -j$(JOBS)

# One loader under libFuzzer and the sanitizers, which needs clang: make fuzz TARGET=midi SECONDS=900
# What it finds is written to build-fuzz/fault-*; inputs that reach new code are kept for the next run.
SECONDS ?= 900
CLANGXX ?= $(firstword $(shell command -v clang++-14 clang++))
fuzz: dependencies
	@test -n "$(TARGET)" || { echo "make fuzz TARGET=<loader> SECONDS=<seconds>, with a loader of:"; \
	  ls tests/fuzz | sed -n 's/_fuzz.cpp$$//p'; exit 2; }
	@test -n "$(CLANGXX)" || { echo "clang++ is needed: apt-get install clang"; exit 1; }
	@cmake -S . -B build-fuzz -DCMAKE_CXX_COMPILER=$(CLANGXX) -DCMAKE_BUILD_TYPE=RelWithDebInfo \
	  -DIMU2MUSIC_BUILD_FUZZERS=ON -DIMU2MUSIC_SANITIZE=address,undefined,float-cast-overflow \
	  -DIMU2MUSIC_WITH_OPENMP=OFF -DIMU2MUSIC_BUILD_PROGRAM=OFF > build-fuzz.log 2>&1 || { cat build-fuzz.log; exit 1; }
	@rm -f build-fuzz.log
	cmake --build build-fuzz -j$(JOBS) --target fuzz_$(TARGET)
	build-fuzz/tests/fuzz/fuzz_$(TARGET) -max_total_time=$(SECONDS) -timeout=10 -malloc_limit_mb=256 \
	  -rss_limit_mb=2048 -max_len=65536 -use_value_profile=1 -print_final_stats=1 \
	  -artifact_prefix=build-fuzz/fault-$(TARGET)- build-fuzz/tests/fuzz/corpus/$(TARGET) tests/fuzz/seeds/$(TARGET)

# What threads may share, under ThreadSanitizer.
test-threads: dependencies
	cmake --preset tsan $(CMAKE_FLAGS)
	cmake --build --preset tsan -j$(JOBS)
	ctest --preset tsan

# The CUDA columns on this machine's GPU, under compute-sanitizer. Needs nvcc; docs/cuda.md.
test-cuda: dependencies
	@command -v nvcc > /dev/null || { echo "nvcc is needed: install the CUDA Toolkit"; exit 1; }
	cmake -S . -B build-cuda -DCMAKE_BUILD_TYPE=Release -DIMU2MUSIC_WITH_CUDA=ON $(CMAKE_FLAGS)
	cmake --build build-cuda -j$(JOBS) --target test_cuda
	@nvidia-smi -L > /dev/null 2>&1 || { echo "this machine has no NVIDIA GPU: the CUDA columns are built, and not run"; exit 1; }
	for tool in memcheck racecheck initcheck; do \
	  IMU2MUSIC_NEED_GPU=1 compute-sanitizer --tool $$tool --error-exitcode 1 build-cuda/tests/cuda/test_cuda || exit 1; done

# The kernels' columns against one another, and the engine's work against this machine's ceilings.
bench: configure-bench
	cmake --build "$(BUILD)" -j$(JOBS) --target bench_columns bench_engine
	"$(BUILD)/benchmarks/bench_columns"
	"$(BUILD)/benchmarks/bench_engine"

# The engine beside PyTorch and ONNX Runtime, which are installed into a throw-away environment, $(PEERS). Writes
# $(TABLE). make bench-compare COMPARE="--rows 'decode/*' --threads 1" measures a part.
PEERS ?= $(BUILD)/peers
TABLE ?= benchmarks/results/cpu.md
GOLDEN ?= ../shared/golden
bench-compare: peers-packages configure-bench
	cmake --build "$(BUILD)" -j$(JOBS) --target bench_engine imu2music_program demo_compose
	@test -x "$(PEERS)"/bin/python || python3 -m venv "$(PEERS)" || { echo "python3 with venv is needed: apt-get install python3-venv"; exit 1; }
	@while read -r package; do "$(PEERS)"/bin/pip install -q "$$package" || \
	  echo "$$package cannot be installed here; its cells will read 'not run'"; done < benchmarks/reference/requirements.txt
	"$(BUILD)/examples/demo/demo_compose" "$(BUILD)/score.mid"
	$(PROGRAM) simulate "$(BUILD)/score.mid" -o "$(BUILD)/recording" --seed 1
	@test ! -d $(GOLDEN) || ! "$(PEERS)"/bin/python -c "import torch, onnxruntime" 2> /dev/null || "$(PEERS)"/bin/python benchmarks/reference/check.py $(GOLDEN)
	"$(PEERS)"/bin/python benchmarks/reference/compare.py --ours "$(BUILD)/benchmarks/bench_engine" \
	  --python "$(PEERS)"/bin/python --program $(PROGRAM) --weights weights/default.safetensors \
	  --recording "$(BUILD)/recording" --sensors 1=myo1 --output $(TABLE) $(COMPARE)

# The CUDA backend beside PyTorch on this machine's NVIDIA GPU. Needs nvcc.
bench-cuda: dependencies
	@command -v nvcc > /dev/null || { echo "nvcc is needed: install the CUDA Toolkit"; exit 1; }
	cmake -S . -B build-cuda -DCMAKE_BUILD_TYPE=Release -DIMU2MUSIC_WITH_CUDA=ON -DIMU2MUSIC_BUILD_BENCHMARKS=ON $(CMAKE_FLAGS)
	cmake --build build-cuda -j$(JOBS) --target bench_device
	@nvidia-smi -L > /dev/null 2>&1 || { echo "this machine has no NVIDIA GPU: bench_device is built, and not run"; exit 1; }
	@test -x "$(PEERS)"/bin/python || python3 -m venv "$(PEERS)" || { echo "python3 with venv is needed: apt-get install python3-venv"; exit 1; }
	@"$(PEERS)"/bin/python -c "import torch" 2> /dev/null || "$(PEERS)"/bin/pip install -q -r benchmarks/reference/requirements.txt
	"$(PEERS)"/bin/python benchmarks/reference/compare_device.py --ours build-cuda/benchmarks/bench_device \
	  --output benchmarks/results/cuda.md $(COMPARE)

peers-packages:
	@sh cmake/dependencies.sh libdnnl-dev python3-venv

configure-bench: dependencies
	@$(call logged,cmake -S . -B "$(BUILD)" -DCMAKE_BUILD_TYPE=Release -DIMU2MUSIC_BUILD_BENCHMARKS=ON $(CMAKE_FLAGS))

# What it costs to compile a file with the library, against nlohmann/json.hpp.
bench-compile: dependencies
	benchmarks/compile_time.sh

# The API reference of all headers, in build/docs/html.
docs:
	@sh cmake/dependencies.sh doxygen
	@$(MAKE) --no-print-directory configure
	cmake --build "$(BUILD)" --target docs

clean:
	rm -rf "$(BUILD)" build-* demo
