# SPDX-License-Identifier: Apache-2.0
# ballast_add_test(SUITE name SOURCES file... [LIBS target...]): one executable per test file,
# staged at stage/tests/SUITE/NAME, where tests/run-suites finds it on the host and in the VMs.
function(ballast_add_test suite name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LIBS" ${ARGN})
  set(target test_${suite}_${name})
  add_executable(${target} ${ARG_SOURCES})
  target_link_libraries(${target} PRIVATE ballast_flags PkgConfig::cmocka ${ARG_LIBS})
  set_target_properties(${target} PROPERTIES
    OUTPUT_NAME ${name}
    RUNTIME_OUTPUT_DIRECTORY ${BALLAST_STAGE}/tests/${suite})
endfunction()

# ballast_add_test_script(SUITE NAME FILE): a test that is a shell script printing TAP.
function(ballast_add_test_script suite name file)
  configure_file(${file} ${BALLAST_STAGE}/tests/${suite}/${name} COPYONLY)
endfunction()
