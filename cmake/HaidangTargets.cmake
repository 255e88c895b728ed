# SPDX-License-Identifier: Apache-2.0
# Three helpers, so that every room says only what is its own.

# hd_add_module(NAME SOURCES a.c b.c [DEPS target ...])
# A room's code as a static library; sources are listed, never globbed.
function(hd_add_module name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPS" ${ARGN})
  add_library(${name} STATIC ${ARG_SOURCES})
  target_include_directories(${name} PUBLIC
    ${PROJECT_SOURCE_DIR}/include ${PROJECT_SOURCE_DIR})
  target_link_libraries(${name} PUBLIC hd_options ${ARG_DEPS} PRIVATE hd_warnings)
endfunction()

# hd_add_program(NAME SOURCES main.c DEPS target ...)
function(hd_add_program name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPS" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE hd_options hd_warnings ${ARG_DEPS})
  install(TARGETS ${name} RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endfunction()

# hd_add_test(NAME SOURCES test_x.c DEPS target ... [LABELS unit] [TIMEOUT 600])
# A cmocka program. Runs in the build's tests/ directory with HD_SOURCE_DIR set.
function(hd_add_test name)
  cmake_parse_arguments(ARG "" "TIMEOUT" "SOURCES;DEPS;LABELS" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE hd_options hd_warnings hd_test_support ${ARG_DEPS})
  add_test(NAME ${name} COMMAND ${name})
  if(NOT ARG_LABELS)
    set(ARG_LABELS unit)
  endif()
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 600) # of a busy machine; only a failure takes so long
  endif()
  if(HD_SANITIZE)
    math(EXPR ARG_TIMEOUT "5 * ${ARG_TIMEOUT}")
  endif()
  set_tests_properties(${name} PROPERTIES
    LABELS "${ARG_LABELS}" TIMEOUT ${ARG_TIMEOUT} SKIP_RETURN_CODE 77
    ENVIRONMENT "HD_SOURCE_DIR=${PROJECT_SOURCE_DIR};HD_BUILD_DIR=${PROJECT_BINARY_DIR}")
endfunction()

# hd_add_fuzz(NAME SOURCES fuzz_x.c DEPS target ...)
# With HD_FUZZ a libFuzzer program; otherwise a test that replays tests/fuzz/corpus/NAME.
function(hd_add_fuzz name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPS" ${ARGN})
  set(corpus ${PROJECT_SOURCE_DIR}/tests/fuzz/corpus/${name})
  if(HD_FUZZ)
    add_executable(fuzz_${name} ${ARG_SOURCES})
    target_link_options(fuzz_${name} PRIVATE -fsanitize=fuzzer)
  else()
    add_executable(fuzz_${name} ${ARG_SOURCES} ${PROJECT_SOURCE_DIR}/tests/fuzz/replay.c)
    add_test(NAME fuzz_${name} COMMAND fuzz_${name} ${corpus})
    set_tests_properties(fuzz_${name} PROPERTIES LABELS "fuzz" TIMEOUT 600)
  endif()
  target_link_libraries(fuzz_${name} PRIVATE hd_options hd_warnings ${ARG_DEPS})
endfunction()
