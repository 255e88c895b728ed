# SPDX-License-Identifier: Apache-2.0
# Everything comes from the distribution, found through pkg-config.
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
pkg_check_modules(UV REQUIRED IMPORTED_TARGET libuv>=1.44)
pkg_check_modules(OPENSSL REQUIRED IMPORTED_TARGET openssl>=3.0)
pkg_check_modules(ZSTD REQUIRED IMPORTED_TARGET libzstd>=1.5)
pkg_check_modules(YAML REQUIRED IMPORTED_TARGET yaml-0.1)
pkg_check_modules(JANSSON REQUIRED IMPORTED_TARGET jansson>=2.13)
pkg_check_modules(UTF8PROC REQUIRED IMPORTED_TARGET libutf8proc)
pkg_check_modules(XXHASH REQUIRED IMPORTED_TARGET libxxhash)
pkg_check_modules(PCAP REQUIRED IMPORTED_TARGET libpcap)
# Its archive, which takes no other library along (collector/source/capture_dbus.c).
find_library(HD_PCAP_ARCHIVE libpcap.a)
if(HD_PCAP_ARCHIVE AND NOT DEFINED HD_PCAP_LINKS)
  try_compile(HD_PCAP_LINKS ${CMAKE_BINARY_DIR}/pcap_links
    SOURCES ${CMAKE_SOURCE_DIR}/cmake/pcap_links.c
            ${CMAKE_SOURCE_DIR}/collector/source/capture_dbus.c
    LINK_LIBRARIES ${HD_PCAP_ARCHIVE})
endif()
# Hyperscan; Vectorscan installs the same pkg-config name.
pkg_check_modules(HS REQUIRED IMPORTED_TARGET libhs)
pkg_check_modules(PCRE2 REQUIRED IMPORTED_TARGET libpcre2-8)
pkg_check_modules(MAXMINDDB REQUIRED IMPORTED_TARGET libmaxminddb)
pkg_check_modules(CURL REQUIRED IMPORTED_TARGET libcurl>=7.85)
pkg_check_modules(CMOCKA REQUIRED IMPORTED_TARGET cmocka)
find_package(Python3 3.9 REQUIRED COMPONENTS Interpreter)
