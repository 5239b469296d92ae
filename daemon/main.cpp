// SPDX-License-Identifier: Apache-2.0
#include "daemon/app/run.h"

int main(int argc, char** argv) {
    return ballast::app::run(argc, argv);
}
