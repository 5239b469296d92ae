// SPDX-License-Identifier: Apache-2.0
#include "daemon/model/answers.h"

#include <algorithm>
#include <utility>

namespace ballast {

Answer answer_of(std::vector<Address> addresses) {
    Answer answer{std::move(addresses)};
    auto& all = answer.addresses;
    std::ranges::sort(all);
    all.erase(std::unique(all.begin(), all.end()), all.end());
    if (all.size() > kMaxNameAnswers) {
        answer.left_out = all.size() - kMaxNameAnswers;
        all.resize(kMaxNameAnswers);
    }
    return answer;
}

std::vector<std::string> hosts_of(const Policy& policy) {
    std::vector<std::string> hosts;
    for (const Service& service : policy.services)
        for (const NamedTarget& name : service.to_names)
            hosts.push_back(name.host);
    std::ranges::sort(hosts);
    hosts.erase(std::unique(hosts.begin(), hosts.end()), hosts.end());
    return hosts;
}

} // namespace ballast
