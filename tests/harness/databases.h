// SPDX-License-Identifier: Apache-2.0
// Real database servers, listening on both families of a Link's server side, and their own clients.
#pragma once

#include <cstdint>
#include <string>

#include "tests/harness/netns.h"
#include "tests/harness/process.h"
#include "tests/harness/sockets.h"

namespace ballast::test {

class Postgres {
public:
    static constexpr std::uint16_t port = 5432;

    /// A new, empty cluster, which listens when this returns.
    explicit Postgres(const Link& link);
    ~Postgres();
    Postgres(const Postgres&) = delete;
    Postgres& operator=(const Postgres&) = delete;

    /// A psql of the client's that runs these statements, or \commands, in one session. It ends
    /// with 0 if each succeeded.
    [[nodiscard]] Command psql(const Dest& dest, const std::vector<std::string>& statements) const;
    /// The statement's answer, without a line's end.
    std::string ask(const Dest& dest, const std::string& statement) const;

private:
    /// A program of the server's, as its own user: as root it refuses.
    [[nodiscard]] Command server(const std::string& name, std::vector<std::string> words) const;

    const Link link_;
    std::string programs_;
    std::string directory_;
    Process process_;
};

class Mariadb {
public:
    static constexpr std::uint16_t port = 3306;

    /// A new, empty one without users, which listens when this returns.
    explicit Mariadb(const Link& link);

    /// Its client, which runs these statements in one session and prints their bare answers. It
    /// ends with 0 if each succeeded.
    [[nodiscard]] Command client(const Dest& dest, const std::string& statements) const;
    /// The statement's answer, without a line's end.
    std::string ask(const Dest& dest, const std::string& statement) const;

private:
    const Link link_;
    Process process_;
};

} // namespace ballast::test
