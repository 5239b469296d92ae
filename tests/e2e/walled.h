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
    /// The same of all connections of one of the client's addresses.
    void cut_off(const std::string& address);
    /// But that one's.
    void cut_off(const std::string& address, const Fd& spared);
    /// Lets everything pass, the client's connections from a port of the wall's own choice. It
    /// chooses a new one for a connection that was idle for `forget_after_s`.
    void translate(int forget_after_s);
    /// Forgets every connection at once. What comes of one later passes with `late` "accept" and is
    /// known again; else see stand().
    void lose_table(const std::string& late);
    /// The same, and what comes of one later is translated as translate() does. The server's side
    /// can't make a connection known.
    void rebind();
    /// Lets through what the server sends, and of the client only what opens or ends a connection.
    /// Until open().
    void hold_acks();
    /// Drops packets larger than that, IP header included, and tells nobody.
    void swallow(int larger_than);
    /// Delays each packet, each way, by the kernel's network emulator, which not every kernel has.
    void delay(int time_ms);

    [[nodiscard]] const Link& link() const { return link_; }

private:
    /// `ports` is what nft wants of them, "port ...", or empty for all.
    void cut_ports(const std::string& address, const std::string& ports);
    void load(const std::string& rules);
    /// Forgets what its connection tracking knows.
    void forget_all();

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
/// The same from an address of the client's.
Through& through_from(const Wall& wall, Listener& listener, const std::string& source);

/// A byte there and one back; false when that takes longer than `patience_ms`.
bool exchange(const Through& pair, int patience_ms = 15'000);
/// Sends one byte without waiting for an answer.
void say(const Fd& from);

/// Keeps connections busy from a process of its own, so that no wait for a sweep lets the wall
/// forget them.
class Talk {
public:
    explicit Talk(const std::vector<const Through*>& pairs);
    bool goes_on() { return !talker_.wait(std::chrono::milliseconds(0)).has_value(); }
    /// Whether all lived. Until then nobody else may use them.
    bool end();

private:
    Fd stop_;
    Process talker_;
};

using Others = std::vector<const Through*>;

/// Lets `busy` live, in a process of their own, until `holds`: on a slow machine that may take
/// longer to say than the wall remembers. Patient, since sweeps come seldom on a host with many
/// namespaces.
void live_until(const Others& busy, const std::function<bool()>& holds, std::string_view what);

/// The end's local endpoint, as Ballast prints it.
std::string local_text(const Fd& socket);

/// Since anything was received.
long silent_ms(const Fd& socket);

} // namespace ballast::test
