// SPDX-License-Identifier: Apache-2.0
// The findings of one pass over local ports. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "daemon/model/finding.h"
#include "daemon/model/port_row.h"
#include "daemon/util/quote.h"

namespace ballast::guards {

/// The path of a cgroup, empty where it is gone.
using ConsumerName = std::function<std::string(std::uint64_t cgroup)>;

class PortFindings {
public:
    /// More are counted.
    static constexpr std::size_t most = 50;

    /// `name` has to outlive the object.
    explicit PortFindings(const ConsumerName& name) : name_(name) {}

    /// Of a tuple.
    void add(findings::Reason reason, const PortRow& row);
    void add(Finding made);

    /// As a value of evidence: users can give cgroups any name. "" where there is none, or it is
    /// gone.
    [[nodiscard]] std::string name_of(std::uint64_t cgroup) const {
        return cgroup == 0 ? std::string() : one_word(name_(cgroup));
    }
    [[nodiscard]] std::uint64_t left_out() const { return left_out_; }
    std::vector<Finding> take() { return std::move(findings_); }

private:
    const ConsumerName& name_;
    std::vector<Finding> findings_;
    std::uint64_t left_out_ = 0;
};

} // namespace ballast::guards
