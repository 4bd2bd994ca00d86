# Configures, builds and runs one consumer project. WAY, SOURCE, BUILD, LIBRARY_BUILD, COMPILER, GENERATOR; for WAY cuda NVCC, ARCHITECTURE.
function(run)
  execute_process(COMMAND ${ARGV} WORKING_DIRECTORY ${BUILD} RESULT_VARIABLE status OUTPUT_VARIABLE output
    ERROR_VARIABLE output)
  if(NOT status EQUAL 0)
    message(FATAL_ERROR "${ARGV} failed (${status}):\n${output}")
  endif()
endfunction()

string(REPLACE " Multi-Config" "" GENERATOR ${GENERATOR})  # which puts programs into a folder by configuration
file(REMOVE_RECURSE ${BUILD})
file(MAKE_DIRECTORY ${BUILD})
if(WAY STREQUAL find_package)
  run(${CMAKE_COMMAND} --install ${LIBRARY_BUILD} --component library --prefix ${BUILD}/prefix)
elseif(WAY STREQUAL find_package_engine)
  run(${CMAKE_COMMAND} -G ${GENERATOR} -S ${SOURCE} -B ${BUILD}/library -DCMAKE_CXX_COMPILER=${COMPILER} -DCMAKE_BUILD_TYPE=Debug
    -DIMU2MUSIC_BUILD_ENGINE=ON -DIMU2MUSIC_BUILD_PROGRAM=OFF -DIMU2MUSIC_BUILD_TESTS=OFF)
  run(${CMAKE_COMMAND} --build ${BUILD}/library)
  run(${CMAKE_COMMAND} --install ${BUILD}/library --prefix ${BUILD}/prefix)
elseif(WAY STREQUAL cuda)
  set(more -DCMAKE_CUDA_COMPILER=${NVCC} -DIMU2MUSIC_CUDA_ARCHITECTURES=${ARCHITECTURE}
    "-DCMAKE_CUDA_FLAGS=-Xcicc -O1 -Xptxas -O0")
endif()
run(${CMAKE_COMMAND} -G ${GENERATOR} -S ${SOURCE}/tests/consumers/${WAY} -B ${BUILD}/build -DCMAKE_CXX_COMPILER=${COMPILER}
  -DIMU2MUSIC_SOURCE=${SOURCE} -DCMAKE_PREFIX_PATH=${BUILD}/prefix ${more})
run(${CMAKE_COMMAND} --build ${BUILD}/build --target consumer)
run(${BUILD}/build/consumer)
