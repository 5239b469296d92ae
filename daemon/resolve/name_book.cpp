// SPDX-License-Identifier: Apache-2.0
#include "daemon/resolve/name_book.h"

#include <utility>

namespace ballast {

void NameBook::follow(const std::vector<std::string>& hosts) {
    std::map<std::string, std::string> errors;
    for (const std::string& host : hosts)
        errors.emplace(host, errors_[host]);
    errors_ = std::move(errors);
    std::erase_if(answers_, [&](const auto& entry) { return !errors_.contains(entry.first); });
}

void NameBook::recall(const Answers& earlier) {
    for (const auto& [host, answer] : earlier)
        if (errors_.contains(host))
            answers_.emplace(host, answer);
}

Heard NameBook::hear(const Lookup& lookup) {
    const auto followed = errors_.find(lookup.host);
    if (followed == errors_.end())
        return {};
    const std::string error = std::exchange(followed->second, lookup.error);
    if (!lookup.error.empty())
        return {.failed = error != lookup.error};
    Answer answer = answer_of(lookup.addresses);
    Answer& known = answers_[lookup.host];
    const Heard heard{.addresses = known.addresses != answer.addresses,
                      .answer = known != answer,
                      .recovered = !error.empty()};
    known = std::move(answer);
    return heard;
}

std::map<std::string, std::string> NameBook::failing() const {
    std::map<std::string, std::string> out;
    for (const auto& [host, error] : errors_)
        if (!error.empty())
            out.emplace(host, error);
    return out;
}

} // namespace ballast
