// SPDX-License-Identifier: Apache-2.0
// Keeps what sheds SYNs as the policy has it: the rules, and the devices that match its globs,
// those that come later too. Reports what was shed. The programs stay when the daemon goes.
#pragma once

#include <map>
#include <memory>
#include <optional>

#include "daemon/findings/findings.h"
#include "daemon/guards/guard.h"
#include "daemon/guards/listeners/shed_watch.h"
#include "daemon/kernel/shedder.h"
#include "daemon/netlink/links.h"
#include "daemon/util/event_loop.h"

namespace ballast::guards {

class ShedKeeper final : public Guard {
public:
    static Result<std::unique_ptr<Guard>> make(const Surroundings& around);

    void changed(const PolicyInForce& now) override;
    void wake() override;

    void report(DaemonStatus& status) const override;

private:
    explicit ShedKeeper(const Surroundings& around);
    Result<void> prepare();
    void enforce();
    void end();
    void follow_devices();
    void attach(const netlink::Device& device);
    [[nodiscard]] std::vector<ShedRow> rows() const;
    void reattach();
    [[nodiscard]] ShedDevice row_of(const netlink::Device& device) const;

    EventLoop& loop_;
    findings::Findings& findings_;
    std::string bpffs_dir_;
    std::vector<ListenerRule> rules_;     ///< each with the mode that is in force
    std::vector<std::string> interfaces_; ///< globs
    std::unique_ptr<kernel::Shedder> shedder_;
    std::optional<netlink::Links> links_;
    EventSource link_events_;
    std::map<std::uint32_t, netlink::Device> devices_; ///< that match, by index
    std::map<std::uint32_t, std::string> errors_;      ///< why one of them has no program
    ShedWatch watch_;
    std::string lacking_; ///< why nothing is shed
    std::uint64_t reattached_ = 0;
};

} // namespace ballast::guards
