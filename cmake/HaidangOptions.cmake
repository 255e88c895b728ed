# SPDX-License-Identifier: Apache-2.0
# What a builder may choose. The presets in CMakePresets.json set these.
option(HD_WERROR "Warnings are errors (CI)" OFF)
option(HD_FUZZ "Build fuzz targets with libFuzzer (clang); otherwise they replay their corpus" OFF)
option(HD_COVERAGE "Instrument for gcov" OFF)
set(HD_SANITIZE "" CACHE STRING "Sanitizers, comma separated: address,undefined or thread")

if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE RelWithDebInfo CACHE STRING "" FORCE)
endif()

add_library(hd_warnings INTERFACE)
target_compile_options(hd_warnings INTERFACE
  -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes
  -Wundef -Wvla -Wformat=2 -Wno-missing-field-initializers
  $<$<BOOL:${HD_WERROR}>:-Werror>)

add_library(hd_options INTERFACE)
target_compile_features(hd_options INTERFACE c_std_11)
target_compile_definitions(hd_options INTERFACE _GNU_SOURCE)
target_compile_options(hd_options INTERFACE
  -fno-strict-aliasing -fstack-protector-strong -fno-common
  $<$<CONFIG:Release,RelWithDebInfo>:-D_FORTIFY_SOURCE=2>)
if(HD_SANITIZE)
  target_compile_options(hd_options INTERFACE
    -fsanitize=${HD_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer -U_FORTIFY_SOURCE)
  target_link_options(hd_options INTERFACE -fsanitize=${HD_SANITIZE})
endif()
if(HD_FUZZ)
  target_compile_options(hd_options INTERFACE -fsanitize=fuzzer-no-link)
endif()
if(HD_COVERAGE)
  target_compile_options(hd_options INTERFACE --coverage)
  target_link_options(hd_options INTERFACE --coverage)
endif()

# gcc's link-time optimisation on all cores, and without its warning that it is not
if(CMAKE_C_COMPILER_ID STREQUAL "GNU")
  set(CMAKE_C_COMPILE_OPTIONS_IPO -flto=auto -fno-fat-lto-objects)
endif()
