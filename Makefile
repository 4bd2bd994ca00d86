# Thin wrappers; everything is built by CMake. On Debian 12, `make demo` and `make test` install what is missing.
BUILD ?= build
JOBS ?= $(shell nproc)
PROGRAM = $(BUILD)/imu2music

.PHONY: all demo test test-sanitize bench bench-compile docs dependencies configure clean

all: configure
	cmake --build $(BUILD) -j$(JOBS) --target imu2music_program demo_compose

dependencies:
	@sh cmake/dependencies.sh

configure: dependencies
	@cmake -S . -B $(BUILD) -DCMAKE_BUILD_TYPE=Release $(CMAKE_FLAGS) > $(BUILD).log 2>&1 || { cat $(BUILD).log; exit 1; }
	@rm -f $(BUILD).log

# A score of our own, the simulated motion of a violinist who bows it, and the music that our weights make of the bow arm.
demo: all
	@mkdir -p demo
	$(BUILD)/examples/demo/demo_compose demo/score.mid
	$(PROGRAM) simulate demo/score.mid -o demo/recording --seed 1
	$(PROGRAM) generate demo/recording --weights weights/default.safetensors --sensors 1=myo1 --seed 1 \
	  -o demo/music.mid --wav demo/music.wav --svg demo/music.svg
	@echo "The motion was simulated; weights/default.md says what these weights can and cannot do."
	@ls -l demo/music.mid demo/music.wav demo/music.svg

test: configure
	cmake --build $(BUILD) -j$(JOBS)
	ctest --test-dir $(BUILD) --output-on-failure -j$(JOBS)

# The whole suite under AddressSanitizer and UndefinedBehaviorSanitizer.
test-sanitize: dependencies
	cmake --preset asan+ubsan
	cmake --build --preset asan+ubsan -j$(JOBS)
	ctest --preset asan+ubsan -j$(JOBS)

# The kernels' columns against one another, on this machine.
bench: dependencies
	@cmake -S . -B $(BUILD) -DCMAKE_BUILD_TYPE=Release -DIMU2MUSIC_BUILD_BENCHMARKS=ON $(CMAKE_FLAGS) > $(BUILD).log 2>&1 || { cat $(BUILD).log; exit 1; }
	@rm -f $(BUILD).log
	cmake --build $(BUILD) -j$(JOBS) --target bench_columns
	$(BUILD)/benchmarks/bench_columns

# What it costs to compile a file with the library, against nlohmann/json.hpp.
bench-compile: dependencies
	benchmarks/compile_time.sh

# The API reference of all headers, in build/docs/html.
docs:
	@sh cmake/dependencies.sh doxygen
	@$(MAKE) --no-print-directory configure
	cmake --build $(BUILD) --target docs

clean:
	rm -rf $(BUILD) build-* demo
