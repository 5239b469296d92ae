// SPDX-License-Identifier: Apache-2.0
// Relief at connect() for single tuples that run out of local ports (bpf/relief.bpf.c). The
// programs are attached while the object lives, and end with the process: connect() is the kernel's
// again then.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <vector>

#include "daemon/kernel/cgroup.h"
#include "daemon/util/address.h"
#include "daemon/util/error.h"

namespace ballast::kernel {

class ConnectRelief {
public:
    struct Key {
        std::uint64_t netns_cookie = 0; ///< SO_NETNS_COOKIE
        Endpoint remote;
    };
    /// What is done for connects to it; what is empty or 0 is not.
    struct Rule {
        Address source;         ///< of the tuple
        std::uint16_t low = 0;  ///< own range: outside ip_local_port_range, where nobody binds
        std::uint16_t high = 0; ///< 0: none
        /// To spread over besides the route's, at most kMaxSources.
        std::vector<Address> sources;
        std::chrono::milliseconds refuse_for{0}; ///< after a connect() that found no port

        [[nodiscard]] bool empty() const {
            return high == 0 && sources.empty() && refuse_for.count() == 0;
        }
    };
    struct Counts {
        std::uint64_t exhausted = 0; ///< connects that found no port
        std::uint64_t refused = 0;   ///< without a search, after such
        std::uint64_t given = 0;     ///< ports of the own range
        std::uint64_t missed = 0;    ///< that got none, so that the kernel chose
        std::uint64_t spread = 0;    ///< connects that got a source address
    };

    /// Loads the programs and attaches them to the cgroup, where those are that are pinned in
    /// `bpffs_dir`.
    static Result<std::unique_ptr<ConnectRelief>> attach(const CgroupRoot& cgroup,
                                                         const std::string& bpffs_dir);
    ~ConnectRelief();
    ConnectRelief(const ConnectRelief&) = delete;
    ConnectRelief& operator=(const ConnectRelief&) = delete;

    /// ENOSPC or E2BIG where there are too many.
    Result<void> put(const Key& key, const Rule& rule);
    void remove(const Key& key);
    /// Since the key was first put.
    Result<Counts> counts(const Key& key) const;

private:
    struct State;
    explicit ConnectRelief(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

/// Whether the kernel takes the programs; they are not attached.
Result<void> try_connect_relief();

} // namespace ballast::kernel
