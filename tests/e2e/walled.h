// SPDX-License-Identifier: Apache-2.0
// A client and a server with a firewall between them: a namespace that forwards, with nftables and
// its own connection tracking. It drops without notice to either end.
#pragma once

#include <string>
#include <vector>

#include "tests/e2e/scene.h"

namespace ballast::test {

/// Addresses on both sides of the firewall.
extern const std::vector<Family> walled_families;
/// For the `to` of a policy.
extern const std::vector<std::string> beyond_the_wall;

enum class Way { both, there, back };

class Wall {
public:
    Wall();

    /// Forwards packets of connections that it knows, and of new ones; `late` is what happens to
    /// the rest: "drop", "meta l4proto tcp reject with tcp reset". It forgets a connection that was
    /// idle for `forget_after_s`.
    void stand(int forget_after_s, const std::string& late = "drop");
    /// Every packet is dropped; the connections stay known. Until open().
    void shut();
    void open();
    /// Loses `percent` % of the packets, each way.
    void lose(int percent);
    /// The same by the kernel's network emulator, which not every kernel has.
    void emulate_loss(int percent);
    /// Stops all packets of the client's connection that way, whatever the rules say.
    void cut(const Fd& client, Way way);
    /// The same of all connections of one of the client's addresses (IPv4).
    void cut_off(const std::string& address);
    /// Lets everything pass, the client's connections from a port of the wall's own choice. It
    /// chooses a new one for a connection that was idle for `forget_after_s`.
    void translate(int forget_after_s);

    [[nodiscard]] const Link& link() const { return link_; }

private:
    void load(const std::string& rules);

    Netns& wall_;
    Link link_;
    std::string rules_;
    std::string cuts_;
};

/// A listener behind the wall, to which the path is known to work.
Listener& listen(const Wall& wall, const Dest& dest);
Listener& listen(const Wall& wall, const Family& family);

/// An established connection through the wall, both ends, which has been used and lost little.
struct Through {
    Fd client;
    Fd server;
};
Through& through(const Wall& wall, Listener& listener);

/// A byte there and one back; false when that takes longer than `patience_ms`.
bool exchange(const Through& pair, int patience_ms = 15'000);
/// Sends one byte without waiting for an answer.
void say(const Fd& from);

/// The end's local endpoint, as Ballast prints it.
std::string local_text(const Fd& socket);

/// Since anything was received.
long silent_ms(const Fd& socket);

} // namespace ballast::test
