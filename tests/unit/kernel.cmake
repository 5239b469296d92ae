# SPDX-License-Identifier: Apache-2.0
# Unit tests of bpf/lib, daemon/kernel, daemon/guards, daemon/govern and daemon/app.
set(unit ${CMAKE_CURRENT_LIST_DIR})
ballast_add_test(unit limit_count SOURCES ${unit}/test_limit_count.cpp LIBS Threads::Threads)
ballast_add_test(unit reservation SOURCES ${unit}/test_reservation.cpp LIBS Threads::Threads)
ballast_add_test(unit port_row SOURCES ${unit}/test_port_row.cpp)
ballast_add_test(unit ledger SOURCES ${unit}/test_ledger.cpp LIBS ballast_kernel)
ballast_add_test(unit limit_guard SOURCES ${unit}/test_limit_guard.cpp LIBS ballast_guards)
ballast_add_test(unit sweep_pace SOURCES ${unit}/test_sweep_pace.cpp LIBS ballast_kernel)
ballast_add_test(unit peer_table SOURCES ${unit}/test_peer_table.cpp LIBS ballast_app)
