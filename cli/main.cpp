// SPDX-License-Identifier: Apache-2.0
#include "cli/verbs/verbs.h"

int main(int argc, char** argv) {
    return ballast::cli::run(argc, argv);
}
