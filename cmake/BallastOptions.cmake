# SPDX-License-Identifier: Apache-2.0
# Compiler flags and third-party libraries, shared by every target.
option(BALLAST_TESTS "Build the tests" ON)
option(BALLAST_BENCH "Build the load generator of benchmarks and demos" ON)
option(BALLAST_UNITY "Compile several sources of a target at a time" ON)
option(BALLAST_SANITIZE "Build with AddressSanitizer and UndefinedBehaviorSanitizer" OFF)

# Most of the time goes into the headers of libraries: sources that are compiled together share it.
# A batch is small enough that a change is compiled again in seconds. Names in anonymous namespaces
# have to differ within a target.
set(CMAKE_UNITY_BUILD ${BALLAST_UNITY})
set(CMAKE_UNITY_BUILD_BATCH_SIZE 7)

# Line numbers and names for backtraces, at half the size and less time than all of it.
set(CMAKE_CXX_FLAGS_RELWITHDEBINFO "-O2 -g1 -DNDEBUG")
set(CMAKE_C_FLAGS_RELWITHDEBINFO "-O2 -g1 -DNDEBUG")

# What runs once for a request or at the start, not once for each flow: a fifth less to compile.
set(BALLAST_SELDOM_RUN $<$<CONFIG:RelWithDebInfo>:-O1>)

# GCC collects its garbage from 128 MiB on, a tenth of its time; like this no compilation reaches
# 600 MiB.
add_compile_options($<$<CXX_COMPILER_ID:GNU>:--param=ggc-min-heapsize=524288>)

# Libraries of this tree that name their objects, in place of a second copy of them.
set(CMAKE_CXX_ARCHIVE_CREATE "<CMAKE_AR> qcT <TARGET> <OBJECTS>")

# Used where they are there, never needed. ccache knows what a source includes, not what that was
# precompiled with.
find_program(BALLAST_CCACHE ccache)
if(BALLAST_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_C_COMPILER_LAUNCHER ${BALLAST_CCACHE})
  set(CMAKE_CXX_COMPILER_LAUNCHER ${BALLAST_CCACHE})
  set(CMAKE_DISABLE_PRECOMPILE_HEADERS ON)
endif()
find_program(BALLAST_LINKER NAMES ld.mold ld.lld)
if(BALLAST_LINKER MATCHES "ld\\.([a-z]+)$")
  add_link_options(-fuse-ld=${CMAKE_MATCH_1})
endif()

add_library(ballast_flags INTERFACE)
target_include_directories(ballast_flags INTERFACE ${CMAKE_SOURCE_DIR} ${CMAKE_BINARY_DIR})
target_compile_options(ballast_flags INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Werror
  -fno-omit-frame-pointer -ffunction-sections -fdata-sections)
target_link_options(ballast_flags INTERFACE -Wl,--gc-sections)
if(BALLAST_SANITIZE)
  if(NOT CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
    message(FATAL_ERROR "BALLAST_SANITIZE needs clang++, which can leave headers of libraries out: "
      "cmake --preset asan-ubsan")
  endif()
  target_compile_options(ballast_flags INTERFACE
    -fsanitize=address,undefined -fno-sanitize-recover=all
    -fsanitize-ignorelist=${CMAKE_CURRENT_LIST_DIR}/sanitize-ignore.txt)
  target_link_options(ballast_flags INTERFACE -fsanitize=address,undefined)
endif()

find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
find_package(fmt REQUIRED)
find_package(spdlog REQUIRED)
find_package(tl-expected REQUIRED)
find_package(nlohmann_json REQUIRED)
# Parts of JSON's header that nothing here uses, a fifth of its time.
target_compile_definitions(nlohmann_json::nlohmann_json INTERFACE
  JSON_HAS_FILESYSTEM=0 JSON_HAS_EXPERIMENTAL_FILESYSTEM=0 JSON_HAS_THREE_WAY_COMPARISON=0
  JSON_HAS_RANGES=0)
pkg_check_modules(libbpf REQUIRED IMPORTED_TARGET libbpf>=1.1)
pkg_check_modules(libmnl REQUIRED IMPORTED_TARGET libmnl)
pkg_check_modules(libsystemd REQUIRED IMPORTED_TARGET libsystemd)
pkg_check_modules(tomlplusplus REQUIRED IMPORTED_TARGET tomlplusplus)
pkg_check_modules(sqlite3 REQUIRED IMPORTED_TARGET sqlite3)
pkg_check_modules(libmicrohttpd REQUIRED IMPORTED_TARGET libmicrohttpd)
pkg_check_modules(libcurl REQUIRED IMPORTED_TARGET libcurl)
if(BALLAST_TESTS)
  pkg_check_modules(cmocka REQUIRED IMPORTED_TARGET cmocka)
endif()

# Headers of libraries are not held to this project's warnings.
foreach(lib libbpf libmnl libsystemd tomlplusplus sqlite3 libmicrohttpd libcurl cmocka)
  if(TARGET PkgConfig::${lib})
    get_target_property(dirs PkgConfig::${lib} INTERFACE_INCLUDE_DIRECTORIES)
    if(dirs)
      set_target_properties(PkgConfig::${lib} PROPERTIES
        INTERFACE_SYSTEM_INCLUDE_DIRECTORIES "${dirs}")
    endif()
  endif()
endforeach()
