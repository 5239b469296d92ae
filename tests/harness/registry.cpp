// SPDX-License-Identifier: Apache-2.0
#include "tests/harness/registry.h"

namespace ballast::test {

Registry& Registry::current() {
    static Registry registry;
    return registry;
}

void Registry::begin() {
    shared_held_ = held_.size();
    shared_evidence_ = evidence_.size();
}

void Registry::finish(bool passed) {
    if (!passed) {
        for (const auto& show : evidence_)
            show();
    }
    evidence_.resize(shared_evidence_);
    while (held_.size() > shared_held_)
        held_.pop_back();
}

void Registry::finish_all(bool passed) {
    shared_held_ = shared_evidence_ = 0;
    finish(passed);
}

} // namespace ballast::test
