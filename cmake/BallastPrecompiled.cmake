# SPDX-License-Identifier: Apache-2.0
# Headers that nearly every source includes, compiled once: without, they are a third of the time of a
# source. A source includes what it uses
# all the same: -DCMAKE_DISABLE_PRECOMPILE_HEADERS=ON compiles without them.

# ballast_precompiled(NAME HEADER...): a target for ballast_precompile() to reuse. It has the compile
# options of the directory where it is made, and so must those that use it.
function(ballast_precompiled name)
  file(CONFIGURE OUTPUT ${CMAKE_CURRENT_BINARY_DIR}/${name}.cpp CONTENT "" @ONLY)
  add_library(${name} STATIC ${CMAKE_CURRENT_BINARY_DIR}/${name}.cpp)
  target_link_libraries(${name} PRIVATE ballast_flags fmt::fmt tl::expected Threads::Threads)
  target_precompile_headers(${name} PRIVATE ${ARGN})
endfunction()

# ballast_precompile(NAME): every target of this directory and those below it, so far, reuses NAME,
# if it does not reuse another.
function(ballast_precompile name)
  _ballast_targets(targets ${CMAKE_CURRENT_SOURCE_DIR})
  foreach(target ${targets})
    get_target_property(type ${target} TYPE)
    get_target_property(libraries ${target} LINK_LIBRARIES)
    get_target_property(own ${target} PRECOMPILE_HEADERS)
    get_target_property(other ${target} PRECOMPILE_HEADERS_REUSE_FROM)
    if(type MATCHES "^(STATIC_LIBRARY|EXECUTABLE)$" AND libraries AND NOT own AND NOT other)
      target_precompile_headers(${target} REUSE_FROM ${name})
      target_link_libraries(${target} PRIVATE fmt::fmt) # its macros have to be the same
    endif()
  endforeach()
endfunction()

function(_ballast_targets into directory)
  get_property(found DIRECTORY ${directory} PROPERTY BUILDSYSTEM_TARGETS)
  get_property(below DIRECTORY ${directory} PROPERTY SUBDIRECTORIES)
  foreach(sub ${below})
    _ballast_targets(more ${sub})
    list(APPEND found ${more})
  endforeach()
  set(${into} ${found} PARENT_SCOPE)
endfunction()
