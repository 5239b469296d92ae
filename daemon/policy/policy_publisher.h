// SPDX-License-Identifier: Apache-2.0
// The one place where the policy in force is kept and changed: whatever changes it publishes here,
// and notifies all readers the same way. Any thread may ask for the policy; one changes it.
#pragma once

#include <memory>
#include <mutex>
#include <vector>

#include "daemon/kernel/maps.h"
#include "daemon/kernel/policy_map.h"
#include "daemon/model/policy_in_force.h"

namespace ballast::policy {

/// A part that decides by the policy and keeps state derived from it.
class PolicyReader {
public:
    PolicyReader() = default;
    PolicyReader(const PolicyReader&) = delete;
    PolicyReader& operator=(const PolicyReader&) = delete;
    virtual ~PolicyReader() = default;

    /// Another policy is in force. Called on the main event loop, in the order of subscription.
    virtual void changed(const PolicyInForce& now) = 0;
};

class PolicyPublisher {
public:
    /// Both must outlive the publisher.
    PolicyPublisher(const kernel::Maps& maps, const kernel::PolicyMap& map);

    /// Notifies the reader at once, and of every change from now on. It must outlive the
    /// publisher's last change.
    void subscribe(PolicyReader& reader);

    /// `policy` is what the maps hold since a moment ago.
    void publish(Policy policy);

    /// The policy that holds now. Sees the kill switch, which is thrown in the maps and not here,
    /// at once: a caller that asks before acting does not act after a disarm. From any thread.
    std::shared_ptr<const PolicyInForce> now();

    /// Notifies the readers once the kill switch was thrown or released; call it every second.
    void follow_kill_switch();

private:
    void notify();

    const kernel::Maps& maps_;
    const kernel::PolicyMap& map_;
    std::mutex mutex_; ///< of now_ and is_notification_due_
    std::shared_ptr<const PolicyInForce> now_;
    std::vector<PolicyReader*> readers_;
    bool is_notification_due_ = false; ///< the kill switch was thrown since readers were notified
};

} // namespace ballast::policy
