// SPDX-License-Identifier: Apache-2.0
// Where the kernel runs Ballast's programs: one row each. A program is "ballast_NAME" in bpf/, its
// link is pinned as "link_NAME". Within a stage they are attached in this order and unloaded in the
// same.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <string_view>

#include <linux/bpf.h>

namespace ballast::kernel {

/// When a program is attached, and for how long.
enum class Stage {
    release,   ///< before the first sweep, for good: it gives back
    traced,    ///< the same, where not every socket can be watched (bpf/watch.h)
    admission, ///< after it, for good: it admits, or reports
    tuning,    ///< while some service has a connect_timeout or enforces keepalive
    unload,    ///< an iterator, pinned for `ballast unload`, which has no daemon to ask
    sweep,     ///< an iterator of this process, not pinned
};

struct Hook {
    std::string_view name;
    Stage stage;
    bpf_attach_type type; ///< BPF_TRACE_*: a tracepoint or iterator; else a cgroup's
    /// What follows where the kernel refuses the program; empty: Ballast does not load without it.
    std::string_view without = {};

    [[nodiscard]] constexpr bool is_optional() const { return !without.empty(); }
    [[nodiscard]] constexpr bool is_pinned() const { return stage != Stage::sweep; }
    /// Pinned from attach_admission() on, whatever the policy is.
    [[nodiscard]] constexpr bool is_permanent() const {
        return stage == Stage::release || stage == Stage::admission;
    }
    [[nodiscard]] constexpr bool is_of_cgroup() const {
        return type != BPF_TRACE_RAW_TP && type != BPF_TRACE_ITER;
    }
};

inline constexpr std::array kHooks{
    Hook{"set_state", Stage::traced, BPF_TRACE_RAW_TP},
    Hook{"destroy", Stage::traced, BPF_TRACE_RAW_TP},
    Hook{"sock_release", Stage::release, BPF_CGROUP_INET_SOCK_RELEASE},
    Hook{"state", Stage::release, BPF_CGROUP_SOCK_OPS,
         "the end of a connection may go unseen on a busy host until a sweep"},
    Hook{"retransmit", Stage::admission, BPF_TRACE_RAW_TP},
    Hook{"reset", Stage::admission, BPF_TRACE_RAW_TP},
    Hook{"error", Stage::admission, BPF_TRACE_RAW_TP},
    Hook{"connect4", Stage::admission, BPF_CGROUP_INET4_CONNECT},
    Hook{"connect6", Stage::admission, BPF_CGROUP_INET6_CONNECT},
    Hook{"tune", Stage::tuning, BPF_CGROUP_SOCK_OPS},
    Hook{"choose", Stage::tuning, BPF_CGROUP_SETSOCKOPT},
    Hook{"restore", Stage::unload, BPF_TRACE_ITER},
    Hook{"sweep", Stage::sweep, BPF_TRACE_ITER},
    Hook{"sweep_files", Stage::sweep, BPF_TRACE_ITER, "each sweep visits every network namespace"},
};

/// The row of that name, which must exist.
constexpr std::size_t hook_index(std::string_view name) {
    return static_cast<std::size_t>(std::ranges::find(kHooks, name, &Hook::name) - kHooks.begin());
}
/// The row of a stage that has one.
constexpr const Hook& hook_of(Stage stage) {
    return *std::ranges::find(kHooks, stage, &Hook::stage);
}

} // namespace ballast::kernel
