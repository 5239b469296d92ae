# SPDX-License-Identifier: Apache-2.0
# ballast_bpf_skeleton(NAME SOURCES a.bpf.c b.bpf.c): compiles each file for BPF, links the objects
# into one with libbpf's static linker and embeds the result as NAME.skel.h.
find_program(BALLAST_CLANG NAMES clang-14 clang REQUIRED)
find_program(BALLAST_BPFTOOL NAMES bpftool PATHS /usr/sbin /sbin REQUIRED)

function(ballast_bpf_skeleton name)
  cmake_parse_arguments(ARG "" "" "SOURCES" ${ARGN})
  set(objects)
  foreach(source ${ARG_SOURCES})
    cmake_path(GET source STEM LAST_ONLY stem)
    set(object ${CMAKE_CURRENT_BINARY_DIR}/${stem}.o)
    add_custom_command(
      OUTPUT ${object}
      COMMAND ${BALLAST_CLANG} -std=gnu11 -O2 -g -target bpf -mcpu=v3
              -Wall -Wextra -Werror -Wno-unused-parameter
              -I${CMAKE_SOURCE_DIR} -idirafter /usr/include/${CMAKE_LIBRARY_ARCHITECTURE}
              -MD -MF ${object}.d
              -c ${CMAKE_CURRENT_SOURCE_DIR}/${source} -o ${object}
      DEPENDS ${source}
      DEPFILE ${object}.d
      VERBATIM)
    list(APPEND objects ${object})
  endforeach()
  set(linked ${CMAKE_CURRENT_BINARY_DIR}/${name}.linked.o)
  set(skeleton ${CMAKE_CURRENT_BINARY_DIR}/${name}.skel.h)
  add_custom_command(
    OUTPUT ${linked} ${skeleton}
    COMMAND ${BALLAST_BPFTOOL} gen object ${linked} ${objects}
    COMMAND ${BALLAST_BPFTOOL} gen skeleton ${linked} name ${name}_bpf > ${skeleton}
    DEPENDS ${objects}
    VERBATIM)
  add_custom_target(${name}_skeleton_files DEPENDS ${skeleton})
  add_library(${name}_skeleton INTERFACE)
  add_dependencies(${name}_skeleton ${name}_skeleton_files)
  target_include_directories(${name}_skeleton SYSTEM INTERFACE ${CMAKE_CURRENT_BINARY_DIR})
  target_link_libraries(${name}_skeleton INTERFACE PkgConfig::libbpf)
endfunction()
