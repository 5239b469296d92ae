# SPDX-License-Identifier: Apache-2.0
# Unit tests of daemon/api and cli.
set(unit ${CMAKE_CURRENT_LIST_DIR})
ballast_add_test(unit health SOURCES ${unit}/test_health.cpp LIBS ballast_api)
ballast_add_test(unit json SOURCES ${unit}/test_json.cpp LIBS ballast_api)
ballast_add_test(unit filters SOURCES ${unit}/test_filters.cpp LIBS ballast_api)
ballast_add_test(unit override_body SOURCES ${unit}/test_override_body.cpp LIBS ballast_api)
ballast_add_test(unit breaker_body SOURCES ${unit}/test_breaker_body.cpp LIBS ballast_api)
ballast_add_test(unit breaker_list SOURCES ${unit}/test_breaker_list.cpp LIBS ballast_api)
ballast_add_test(unit metrics SOURCES ${unit}/test_metrics.cpp LIBS ballast_api)
ballast_add_test(unit listeners SOURCES ${unit}/test_listeners.cpp LIBS ballast_api)
ballast_add_test(unit human SOURCES ${unit}/test_human.cpp LIBS ballast_cli)
ballast_add_test(unit discover_cli SOURCES ${unit}/test_discover_cli.cpp LIBS ballast_cli)
ballast_add_test(unit table SOURCES ${unit}/test_table.cpp LIBS ballast_cli)
