// SPDX-License-Identifier: Apache-2.0
// Loads the programs, attaches them and pins them, or takes over what an earlier daemon pinned.
//
// Order of a first load: maps, then the programs that release, then a sweep by the caller, then
// admission: so every connection that admission counts can also be released, and those that were
// there first are counted before the first refusal.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "daemon/kernel/cgroup.h"
#include "daemon/kernel/maps.h"
#include "daemon/kernel/sweeper.h"
#include "daemon/util/error.h"

namespace ballast::kernel {

struct LoadOptions {
    std::string bpffs_dir;   ///< directory of the pins
    std::string runtime_dir; ///< where prepare_bpffs() leaves its marker
    std::string cgroup;      ///< subtree to govern; empty: the whole hierarchy
};

/// A program that was detached from outside Ballast.
struct LostHook {
    std::string name;  ///< of its link, "connect4"
    std::string error; ///< why it could not be attached again; empty: it was
};

class Programs {
public:
    /// Of the maps and programs of this build (bpf/abi.h).
    static constexpr std::uint32_t abi_version = BALLAST_ABI_VERSION;

    /// Opens, loads and pins maps and programs; attaches the programs that release. Pins of another
    /// ABI version are refused with both versions named; pins of a load that was cut short are
    /// removed first (noted in notices()).
    static Result<Programs> load(const LoadOptions& options);

    ~Programs();
    Programs(Programs&&) noexcept;
    Programs& operator=(Programs&&) noexcept;
    Programs(const Programs&) = delete;
    Programs& operator=(const Programs&) = delete;

    /// Attaches admission (cgroup/connect4, connect6) and declares the pins complete. Where an
    /// earlier daemon left it attached, it is replaced if this build's programs differ.
    Result<void> attach_admission();

    /// Attaches `tune`, which gives an established connection back what connect_timeout changed and
    /// starts its keepalive, and lets admission set connect_timeout. Nothing to do where it is
    /// attached.
    Result<void> start_tuning();
    /// Admission changes no socket from now on; `tune` stays.
    void stop_tuning();
    /// Detaches `tune`: only when no socket can still have a changed timeout.
    Result<void> detach_tune();
    [[nodiscard]] bool is_tune_attached() const;

    /// Reattaches detached links, with the program that was there; call it every
    /// second. A cgroup's links are all that can be: the kernel detaches a tracepoint's only with
    /// its last descriptor, and one is held here (kernel/bpf/cgroup.c has bpf_cgroup_link_detach,
    /// kernel/bpf/syscall.c no such thing for tracing).
    std::vector<LostHook> reattach_lost();

    /// Attaches the tracing programs that release, before connections are adopted, which sockops
    /// does not watch yet (bpf/watch.h).
    Result<void> start_tracing();
    /// Detaches them once sweeps meet only what sockops watches, and attaches them where it does
    /// not, or another program takes that away. Call it every second.
    Result<void> trace_if_needed();
    /// Whether they wait for sweeps to meet what is there.
    [[nodiscard]] bool is_tracing_for_a_while() const;
    /// Whether a sweep met a connection whose flags another program had replaced.
    [[nodiscard]] bool has_lost_watch() const;

    [[nodiscard]] Maps& maps();
    /// The links from which sweeps are opened.
    [[nodiscard]] Sweeper::Links sweep_links() const;
    /// Descriptor of the program that FailureReport runs.
    [[nodiscard]] int report_program() const;
    /// Runs of the attached programs that the kernel left out, since each was loaded: it runs no
    /// tracing program that is already running on the same CPU.
    [[nodiscard]] std::uint64_t recursion_misses() const;
    /// Whether counts and links of an earlier daemon were taken over.
    [[nodiscard]] bool adopted() const;
    [[nodiscard]] const CgroupRoot& cgroup() const;
    [[nodiscard]] const std::string& bpffs_dir() const;
    /// Notices about the load for the operator.
    [[nodiscard]] const std::vector<std::string>& notices() const;

private:
    struct State;
    explicit Programs(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

} // namespace ballast::kernel
