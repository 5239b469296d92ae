# SPDX-License-Identifier: Apache-2.0
# The CLI's output against files; they are staged, for the tests run where the tree is not.
set(golden ${CMAKE_CURRENT_LIST_DIR})
ballast_add_test(golden cli SOURCES ${golden}/test_cli.cpp ${golden}/golden.cpp
                 LIBS ballast_fake_daemon)
ballast_add_test(golden views SOURCES ${golden}/test_views.cpp ${golden}/golden.cpp
                 LIBS ballast_cli ballast_harness)
ballast_add_test(golden docs SOURCES ${golden}/test_docs.cpp ${golden}/golden.cpp
                 LIBS ballast_harness)

add_custom_target(ballast_golden_files ALL
  COMMAND ${CMAKE_COMMAND} -E rm -rf ${BALLAST_STAGE}/tests/golden/expected
  COMMAND ${CMAKE_COMMAND} -E copy_directory ${golden}/expected
          ${BALLAST_STAGE}/tests/golden/expected
  COMMAND ${CMAKE_COMMAND} -E copy ${golden}/../../docs/cli.md ${golden}/../../docs/cli-breaker.md
          ${golden}/../../docs/cli-discover.md ${BALLAST_STAGE}/tests/golden
  VERBATIM)
add_dependencies(test_golden_cli ballast_golden_files ballast)
add_dependencies(test_golden_views ballast_golden_files)
add_dependencies(test_golden_docs ballast_golden_files)
