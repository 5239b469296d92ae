// SPDX-License-Identifier: Apache-2.0
// Puts a policy in force: writes its rows, patterns and alternatives into those halves of their
// maps that are not in use, its prefixes into a new trie, and swaps the trie in. One pointer
// changes, so no connect() sees half of two policies; the update returns once no program uses the
// old one.
//
// Service ids are stable: a service keeps its id for as long as its name is in the policy or one of
// its destinations is in the table, over restarts too, since `service_names` is pinned.
#pragma once

#include <cstdint>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "daemon/kernel/maps.h"
#include "daemon/model/policy.h"
#include "daemon/model/prefix_rules.h"
#include "daemon/util/error.h"

namespace ballast::kernel {

class PolicyMap {
public:
    /// Takes over the policy in force, if there is one.
    explicit PolicyMap(Maps& maps);

    /// Fails, with the running policy untouched, when the kernel refuses a map or when all service
    /// ids are still held by destinations of departed services.
    Result<void> put(const Policy& policy);

    /// Name of a service id; empty for 0 and for a free id.
    [[nodiscard]] std::string service_name(std::uint16_t id) const;

    /// The ids of policy.services, in their order; 0 for a name that has none.
    [[nodiscard]] std::vector<std::uint16_t> ids_of(const Policy& policy) const;

    /// The limit in force for a service id; nullptr where the policy in force has no such service.
    [[nodiscard]] const ballast_service* limit(std::uint16_t id) const;
    /// The same by the service's name.
    [[nodiscard]] const ballast_service* limit(const std::string& name) const;

    /// The policy in force as read from the pinned maps, without the targets and `from`
    /// (daemon/kernel/service_row.h): for a daemon that adopted them and could not read its
    /// configuration.
    [[nodiscard]] std::vector<Service> recall() const;

    /// Waits until every program that runs now has ended.
    Result<void> wait_for_programs();

private:
    [[nodiscard]] std::string name_at(std::uint16_t id) const; ///< mutex_ is held
    [[nodiscard]] std::unordered_map<std::string, std::uint16_t> known_names() const;
    Result<std::vector<std::uint16_t>> assign_ids(const Policy& policy);
    void write_services(const Policy& policy, const std::vector<std::uint16_t>& ids, unsigned half);
    void write_patterns(const Policy& policy, unsigned half);
    std::vector<std::uint16_t> write_alternatives(const PrefixRules& rules,
                                                  const std::vector<std::uint16_t>& ids,
                                                  unsigned half);
    static Result<void> add_rule(const Fd& trie, const PrefixRule& rule,
                                 const std::vector<std::uint16_t>& rows);
    Result<Fd> build_trie(const Policy& policy, const std::vector<std::uint16_t>& ids,
                          unsigned half);
    static bool watches_times(const Policy& policy);
    void watch_times(bool wanted);
    void shorten_rates();
    Result<void> swap(const Fd& trie);
    void adopt_trie();

    Maps* maps_;
    mutable std::mutex mutex_; ///< of names and of what is in force
    unsigned half_ = 0;        ///< of `services`, in force
    Fd trie_; ///< the inner map in force; kept to be written again by wait_for_programs()
};

} // namespace ballast::kernel
