// SPDX-License-Identifier: Apache-2.0
// cmocka as C++ includes it. Its macro fail() would swallow ballast::fail(): use fail_msg(), which
// is defined anew since cmocka's relies on it.
#pragma once

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wpedantic"
#pragma GCC diagnostic ignored "-Wconversion"
extern "C" {
// The order is cmocka's own: it uses what the first four declare.
// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
// clang-format on
}
#pragma GCC diagnostic pop

#undef fail
#undef fail_msg
#define fail_msg(...)                                                                              \
    do {                                                                                           \
        print_error("ERROR: " __VA_ARGS__);                                                        \
        print_error("\n");                                                                         \
        _fail(__FILE__, __LINE__);                                                                 \
    } while (0)
