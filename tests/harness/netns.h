// SPDX-License-Identifier: Apache-2.0
// Network namespaces of a test's own. Each has a process that keeps it alive and makes it visible
// in /proc, as a container's does.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "daemon/util/fd.h"
#include "tests/harness/process.h"

namespace ballast::test {

/// The addresses of one IP version on both ends of a veth pair.
struct Family {
    const char* name;
    int domain;           ///< AF_INET or AF_INET6: of the sockets that connect
    const char* client;   ///< the client's address
    const char* server;   ///< the server's
    const char* silent;   ///< leads nowhere: SYNs get no answer
    const char* unrouted; ///< an address with no route to it
};

extern const std::vector<Family> families;

class Netns {
public:
    /// A new namespace with its loopback up; with `hash_buckets`, its TCP sockets are in a hash
    /// table of its own with that number of buckets.
    explicit Netns(unsigned hash_buckets = 0);
    /// The namespace that the test process is in.
    static const Netns& own();
    Netns(const Netns&) = delete;
    Netns& operator=(const Netns&) = delete;

    [[nodiscard]] int fd() const { return fd_.get(); }
    [[nodiscard]] pid_t holder() const { return holder_.pid(); }
    /// As `lsns -t net` names it.
    [[nodiscard]] unsigned inode() const;

    /// Runs `ip -batch` with these lines, here.
    void ip(const std::vector<std::string>& lines) const;
    /// Sets "net.ipv4.tcp_fastopen" and the like, here.
    void sysctl(const std::string& name, int value) const;
    /// Waits until a link is up and has its peer's carrier.
    void await_running(const std::string& device) const;
    /// Runs a command here; it has to succeed.
    std::string exec(std::vector<std::string> argv) const;

private:
    explicit Netns(Fd fd) : fd_(std::move(fd)) {}
    /// Runs `open` in the namespace. It must not fail the test, which would then stay in there.
    [[nodiscard]] Fd open_inside(const std::function<Fd()>& open) const;

    Process holder_;
    Fd fd_;
};

/// Two namespaces joined by a veth pair with the addresses of `families`, up when it returns;
/// `hash_buckets` are the client's, as for Netns.
struct Link {
    Netns& client;
    Netns& server;
};
Link make_link(unsigned hash_buckets = 0);

/// Drops the client's packets to the server from now on, until end_silence().
void silence(const Netns& client, const Family& family);
void end_silence(const Netns& client, const Family& family);

/// Moves the calling thread into a namespace for a moment; nothing that can fail a test belongs
/// inside its scope.
class Inside {
public:
    explicit Inside(int namespace_fd);
    ~Inside();
    Inside(const Inside&) = delete;
    Inside& operator=(const Inside&) = delete;

private:
    Fd before_;
};

} // namespace ballast::test
