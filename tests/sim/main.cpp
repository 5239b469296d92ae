// SPDX-License-Identifier: Apache-2.0
// Prints the table of docs/keepalive.md.
#include <cstdio>

#include "tests/sim/table.h"

int main() {
    const std::string text = ballast::sim::table(ballast::sim::run_all());
    return std::fputs(text.c_str(), stdout) < 0 ? 1 : 0;
}
