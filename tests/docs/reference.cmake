# Runs Doxygen in FOLDER and looks for comments of each kind in what it made. DOXYGEN, FOLDER.
if(NOT DOXYGEN)
  message("skipped: no doxygen here (Debian: doxygen)")
  return()
endif()
file(REMOVE_RECURSE ${FOLDER}/html)
execute_process(COMMAND ${DOXYGEN} ${FOLDER}/Doxyfile WORKING_DIRECTORY ${FOLDER} RESULT_VARIABLE status
  OUTPUT_VARIABLE output ERROR_VARIABLE output)
if(NOT status EQUAL 0)
  message(FATAL_ERROR "doxygen failed (${status}):\n${output}")
endif()

# expect(PAGE TEXT): the page exists and has the text, tags aside.
function(expect page text)
  if(NOT EXISTS ${FOLDER}/html/${page})
    message(SEND_ERROR "there is no page ${page}")
    return()
  endif()
  file(READ ${FOLDER}/html/${page} content)
  string(REGEX REPLACE "<[^>]*>" "" content "${content}")
  string(FIND "${content}" "${text}" at)
  if(at EQUAL -1)
    message(SEND_ERROR "${page} lacks: ${text}")
  endif()
endfunction()

expect(index.html "Embedding imu2music in a program")
expect(engine_8hpp.html "Inference behind a header that compiles fast")  # a file's opening block
expect(classimu2music_1_1Engine.html "From safetensors or a PyTorch checkpoint.")  # above a declaration
expect(structimu2music_1_1SamplerOptions.html "ids kept; 0: all")  # behind a member
expect(relative__attention__table_8hpp.html  # a formula, as it stands
  "\n   score(i, j) = scale (q_i . k_j + q_i . Er[L - 1 - (p_i - j)])\n")
expect(classimu2music_1_1InputError.html "&lt;path&gt;: &lt;fault&gt;; &lt;remedy&gt;")  # characters with a meaning to Doxygen
