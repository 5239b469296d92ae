// SPDX-License-Identifier: Apache-2.0
// Cgroups v2 of the running test. The test process joins one: every socket that it or its children
// make while it lives is governed by a ballastd that is confined to it. Below it,
// children can be distinguished by cgroups of their own.
#pragma once

#include <string>

namespace ballast::test {

/// The mount point of cgroup v2, from /proc/self/mounts.
std::string cgroup_mount();

class Cgroup {
public:
    /// Makes the cgroup and moves the test process into it.
    Cgroup();
    /// Moves back, kills whatever else is inside, removes it.
    ~Cgroup();
    Cgroup(const Cgroup&) = delete;
    Cgroup& operator=(const Cgroup&) = delete;

    [[nodiscard]] const std::string& path() const { return path_; }

    /// Moves the test process out of the cgroup; enter() brings it back.
    void leave() const;
    void enter() const;

    /// Kills and removes every cgroup below the mount whose name starts with `prefix`.
    static void remove_all_of(const std::string& prefix);

private:
    std::string path_;
    std::string home_; ///< where the test process came from
};

/// A cgroup for children of the test process; a unit if its name ends in ".service" or ".scope".
class Subgroup {
public:
    /// Makes `name`, one component, in the cgroup at the path `parent`.
    Subgroup(const std::string& parent, const std::string& name);
    /// Kills whatever is inside or below and removes it.
    ~Subgroup();
    Subgroup(const Subgroup&) = delete;
    Subgroup& operator=(const Subgroup&) = delete;

    [[nodiscard]] const std::string& path() const { return path_; }

    /// Moves the calling process in.
    void join() const;

private:
    std::string path_;
};

} // namespace ballast::test
