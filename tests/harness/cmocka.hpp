// SPDX-License-Identifier: Apache-2.0
// cmocka with the headers that it wants to have been included before it, and without its macros
// fail() and skip(), which break the standard library and ballast::fail(). Tests call fail_msg().
#pragma once

#include <csetjmp>
#include <cstdarg>
#include <cstddef>
#include <cstdint>

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wpedantic"
#pragma GCC diagnostic ignored "-Wconversion"
extern "C" {
#include <cmocka.h>
}
#pragma GCC diagnostic pop

#undef fail
#undef skip
#undef fail_msg // cmocka's relies on fail()
#define fail_msg(...)                                                                              \
    do {                                                                                           \
        print_error("ERROR: " __VA_ARGS__);                                                        \
        print_error("\n");                                                                         \
        _fail(__FILE__, __LINE__);                                                                 \
    } while (0)
