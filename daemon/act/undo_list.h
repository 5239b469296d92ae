// SPDX-License-Identifier: Apache-2.0
// The sysctls that Ballast has changed, in a file that outlives the daemon, so that each of them is
// put back: by the daemon, by the next one, or by `ballast unload`.
//
// Invariants
// L1. A change is in the file before it is made, and leaves it after it was taken back.
// L2. What is put back is only what still has a value that Ballast gave it: who changed it
//     meanwhile has their way.
// L3. The file is for one boot: another has the kernel's values.
#pragma once

#include <string>
#include <vector>

#include "daemon/act/sysctl.h"

namespace ballast::act {

struct SysctlChange {
    Space space;
    std::string name;              ///< "net/ipv4/ip_local_port_range"
    std::string before;            ///< its value then, as read_sysctl() has it
    std::vector<std::string> ours; ///< each value that Ballast may have given it

    [[nodiscard]] bool is_same(const SysctlChange& other) const {
        return space == other.space && name == other.name;
    }
    bool operator==(const SysctlChange&) const = default;
};

/// What became of a change that was to be taken back.
struct Undone {
    enum class How {
        restored,   ///< it has its value from before
        unchanged,  ///< it had that already
        overridden, ///< somebody else changed it meanwhile, so it stays
        gone,       ///< its namespace has ended
        failed,     ///< and stays on the list
    };
    SysctlChange change;
    How how = How::failed;
    std::string why; ///< where it failed
};

class UndoList {
public:
    /// Reads the list that is in `runtime_dir`, empty where there is none. One that cannot be
    /// understood is an error.
    static Result<UndoList> open(const std::string& runtime_dir);
    /// Moves such a one to undo.json.unread, for people to look at, and begins anew.
    static Result<UndoList> begin_anew(const std::string& runtime_dir);

    /// L1: adds the change, or `ours` to what is known of that sysctl already; on disk when it
    /// returns.
    Result<void> add(const SysctlChange& change);

    /// Takes one back, as L2 has it; it leaves the list unless it failed.
    Undone undo(const SysctlChange& change);
    /// Takes all back.
    std::vector<Undone> undo_all();

    [[nodiscard]] const std::vector<SysctlChange>& changes() const { return changes_; }
    /// That of the same sysctl; nullptr: none.
    [[nodiscard]] const SysctlChange* find(const SysctlChange& change) const;

private:
    explicit UndoList(std::string file) : file_(std::move(file)) {}
    [[nodiscard]] Result<void> save() const;

    std::string file_;
    std::vector<SysctlChange> changes_;
};

/// "restored net.ipv4.ip_local_port_range = 32768 60999 in network namespace 4026531840".
std::string text_of(const Undone& undone);

} // namespace ballast::act
