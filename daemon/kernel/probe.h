// SPDX-License-Identifier: Apache-2.0
// Feature probes: each is done for real (load, attach, create) and undone, never guessed from a
// version number. Used by `ballast check` and by the daemon before it loads anything.
#pragma once

#include <string>
#include <vector>

namespace ballast::kernel {

enum class Answer { yes, no, unknown };

struct Probe {
    std::string feature; ///< "bpf_set_retval in cgroup/connect4"
    Answer answer;
    std::string detail;          ///< what the system said where the answer is not yes
    std::string cost_of_lacking; ///< what Ballast cannot do without it
    bool required;               ///< the daemon refuses to start unless the answer is yes
};

/// Runs all probes; `cgroup_path` is where the cgroup programs would be attached (empty: the root
/// of the cgroup v2 hierarchy found in the mount table). Needs root for a certain answer.
std::vector<Probe> probe_features(const std::string& cgroup_path);

/// Whether programs may set TCP_BPF_SOCK_OPS_CB_FLAGS, so that sockops sees what any socket does
/// (bpf/watch.h). Takes a few milliseconds.
bool can_watch_sockets();

/// True when some required feature's answer is not yes.
bool lacks_required(const std::vector<Probe>& probes);

} // namespace ballast::kernel
