# SPDX-License-Identifier: Apache-2.0
# Tests are groups of cases (tests/harness/group.h), many of them in one executable; ctest runs each
# group in a process of its own. What is staged runs on this host and in the virtual machines.
#
# ballast_tests(SUITE BINARY SOURCES file... [LIBS target...]
#               [DAEMON group...] [CONTRACT group...] [SLOW group...])
#   DAEMON    asks nothing of the kernel that kernels differ in: runs on the host
#   CONTRACT  what a kernel must grant: runs on the host and on every kernel of vm/kernels
#   SLOW      runs with `scripts/test --slow`, on the host only
# A group is NAME or NAME=SECONDS, about how long it takes: the longest are started first.
# ballast_test_timeout(SECONDS SUITE/GROUP...): in place of 120.
# ballast_test_alone(SUITE/GROUP...): no other test runs beside it.
# ballast_write_tests(): once, after all of them.
set_property(GLOBAL PROPERTY BALLAST_TEST_LINES "")

function(ballast_tests suite binary)
  cmake_parse_arguments(ARG "" "" "SOURCES;LIBS;DAEMON;CONTRACT;SLOW" ${ARGN})
  add_executable(${binary} ${ARG_SOURCES})
  target_link_libraries(${binary} PRIVATE ballast_flags ballast_test_group PkgConfig::cmocka ${ARG_LIBS})
  set_target_properties(${binary} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${BALLAST_STAGE}/tests/bin)
  if(suite MATCHES "^(unit|api|golden)$")
    add_dependencies(logic_tests ${binary})
  endif()
  foreach(kind DAEMON CONTRACT SLOW)
    string(TOLOWER ${kind} label)
    foreach(group ${ARG_${kind}})
      set(cost 1)
      if(group MATCHES "^(.*)=([0-9]+)$")
        set(group ${CMAKE_MATCH_1})
        set(cost ${CMAKE_MATCH_2})
      endif()
      set_property(GLOBAL APPEND PROPERTY BALLAST_TEST_LINES
        "ballast_test(${suite}/${group} ${label} ${cost} \"bin/${binary}\" ${group})")
    endforeach()
  endforeach()
endfunction()

# ballast_test_script(SUITE NAME FILE): a test that is a shell script printing TAP.
function(ballast_test_script suite name file)
  configure_file(${file} ${BALLAST_STAGE}/tests/bin/${name}.sh COPYONLY)
  set_property(GLOBAL APPEND PROPERTY BALLAST_TEST_LINES
    "ballast_test(${suite}/${name} daemon 5 \"bin/${name}.sh\")")
endfunction()

function(ballast_test_timeout seconds)
  foreach(test ${ARGN})
    set_property(GLOBAL APPEND PROPERTY BALLAST_TEST_LINES "ballast_timeout(${test} ${seconds})")
  endforeach()
endfunction()

function(ballast_test_alone)
  foreach(test ${ARGN})
    set_property(GLOBAL APPEND PROPERTY BALLAST_TEST_LINES
      "set_tests_properties(${test} PROPERTIES RUN_SERIAL ON)")
  endforeach()
endfunction()

function(ballast_write_tests)
  get_property(lines GLOBAL PROPERTY BALLAST_TEST_LINES)
  list(JOIN lines "\n" BALLAST_TEST_LINES)
  configure_file(${CMAKE_SOURCE_DIR}/tests/CTestTestfile.cmake.in
                 ${BALLAST_STAGE}/tests/CTestTestfile.cmake @ONLY)
endfunction()
