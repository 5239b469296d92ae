# SPDX-License-Identifier: Apache-2.0
# The API server with fixed data behind it; the CLI's golden tests use the same.
set(api ${CMAKE_CURRENT_LIST_DIR})
add_library(ballast_fake_daemon STATIC
  ${api}/fake_backend.cpp ${api}/fake_daemon.cpp ${api}/scenes.cpp)
target_link_libraries(ballast_fake_daemon PUBLIC ballast_api ballast_cli ballast_harness)

ballast_add_test(api schema SOURCES ${api}/test_schema.cpp ${api}/schema.cpp
                 LIBS ballast_harness)
ballast_add_test(api openapi SOURCES ${api}/test_openapi.cpp ${api}/schema.cpp
                 LIBS ballast_fake_daemon)
ballast_add_test(api server SOURCES ${api}/test_server.cpp LIBS ballast_fake_daemon)
