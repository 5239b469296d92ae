// SPDX-License-Identifier: Apache-2.0
#include <exception>

#include "cli/verbs/shared.h"
#include "cli/verbs/verbs.h"

int main(int argc, char** argv) {
    try {
        return ballast::run_program(ballast::cli::program(), argc, argv);
    } catch (const std::exception& error) {
        return ballast::cli::report({ballast::cli::exit_failed, ballast::Error(error.what())});
    }
}
