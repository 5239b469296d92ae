// SPDX-License-Identifier: Apache-2.0
// The maps of a loaded Ballast, as memory where they can be mapped and as descriptors elsewhere.
#pragma once

#include <memory>
#include <mutex>

#include "bpf/abi.h"
#include "daemon/kernel/mapped.h"
#include "daemon/util/fd.h"

namespace ballast::kernel {

/// Meaning, writers and byte order of each: bpf/abi.h and bpf/README.md.
struct Maps {
    Mapped<ballast_control> control;
    Mapped<ballast_counters> counters;
    Mapped<ballast_service> services;
    Mapped<ballast_alternative> alternatives;
    Mapped<ballast_from_pattern> from_patterns;
    Mapped<ballast_total> totals;
    Mapped<ballast_consumer> consumers;
    Mapped<ballast_share> shares;
    Mapped<ballast_breaker> breakers;
    Mapped<ballast_makers> makers;
    Mapped<ballast_destination> destinations;
    Mapped<ballast_bucket> reservations;
    Mapped<ballast_bucket_seen> seen;
    Mapped<ballast_service_name> service_names;
    Mapped<ballast_sweep_totals> sweep_totals;
    Fd policy;
    Fd destination_index;
    Fd free_destinations;
    Fd free_breakers;
    Fd events;
    Fd suspicions;
    Fd consumer_index;
    Fd free_consumers;
    Fd share_index;
    Fd free_shares;
    /// Held while counts are corrected and while indexes are given out again, so that a former
    /// element's count is never corrected on its successor. Programs know nothing of it.
    std::unique_ptr<std::mutex> bookkeeping = std::make_unique<std::mutex>();
};

} // namespace ballast::kernel
