// SPDX-License-Identifier: Apache-2.0
#include "tests/harness/databases.h"

#include <algorithm>
#include <csignal>
#include <filesystem>

#include "tests/harness/check.h"
#include "tests/harness/registry.h"
#include "tests/harness/sandbox.h"

namespace ballast::test {

namespace {

/// Where Debian has the newest PostgreSQL's.
std::string postgres_programs() {
    std::string newest;
    for (const auto& version : std::filesystem::directory_iterator("/usr/lib/postgresql"))
        newest = std::max(newest, version.path().string());
    need(!newest.empty(), "a PostgreSQL below /usr/lib/postgresql");
    return newest + "/bin/";
}

std::string without_newline(std::string text) {
    if (text.ends_with('\n'))
        text.pop_back();
    return text;
}

/// Starts a server, which says `ready` once it listens. To ask it before would be refused, and
/// that would be a failure to a breaker.
void start_server(Process& process, const Command& command, const std::string& ready) {
    const auto said = [file = command.output] { return read_file(file); };
    Registry::current().on_failure([=] { note(ready + ": " + said()); });
    process.start(command);
    await([&] { return said().find(ready) != std::string::npos; }, "a server's " + ready);
}

} // namespace

Postgres::Postgres(const Link& link)
    : link_(link), programs_(postgres_programs()), directory_(make_temp_dir() + "/postgres") {
    run_ok({.argv = {"install", "-d", "-o", "postgres", "-g", "postgres", directory_}});
    run_ok(server("initdb", {"-U", "postgres", "-A", "trust", "-N", "--locale=C"}));
    const auto data = directory_ + "/data";
    // What keeps it small and quick; nothing here concerns its connections.
    write_file(data + "/postgresql.conf", "listen_addresses = '10.77.0.2, fd77::2'\n"
                                          "unix_socket_directories = ''\n"
                                          "dynamic_shared_memory_type = mmap\n"
                                          "shared_buffers = 16MB\n"
                                          "fsync = off\n"
                                          "autovacuum = off\n");
    write_file(data + "/pg_hba.conf", "host all all 0.0.0.0/0 trust\nhost all all ::/0 trust\n");
    auto command = server("postgres", {});
    command.output = directory_ + "/output";
    start_server(process_, command, "database system is ready");
}

Postgres::~Postgres() {
    process_.signal(SIGQUIT); // at once, and its children with it
    process_.wait(std::chrono::seconds(5));
}

Command Postgres::server(const std::string& name, std::vector<std::string> words) const {
    // What it leaves of System V shared memory goes with its IPC namespace. A change of user ends
    // what Process has asked for, so its end with the test's is asked for again.
    std::vector<std::string> argv = {"env",
                                     "-C",
                                     directory_,
                                     "unshare",
                                     "--ipc",
                                     "setpriv",
                                     "--reuid",
                                     "postgres",
                                     "--regid",
                                     "postgres",
                                     "--clear-groups",
                                     "--pdeathsig",
                                     "KILL",
                                     programs_ + name,
                                     "-D",
                                     directory_ + "/data"};
    argv.insert(argv.end(), words.begin(), words.end());
    return {.argv = std::move(argv), .network_namespace = link_.server.fd()};
}

Command Postgres::psql(const Dest& dest, const std::vector<std::string>& statements) const {
    std::vector<std::string> argv = {programs_ + "psql",
                                     "-XqAt",
                                     "-v",
                                     "ON_ERROR_STOP=1",
                                     "-h",
                                     dest.host,
                                     "-p",
                                     std::to_string(dest.port),
                                     "-U",
                                     "postgres",
                                     "-d",
                                     "postgres"};
    for (const auto& statement : statements)
        argv.insert(argv.end(), {"-c", statement});
    return {.argv = std::move(argv), .network_namespace = link_.client.fd()};
}

std::string Postgres::ask(const Dest& dest, const std::string& statement) const {
    return without_newline(run_ok(psql(dest, {statement})));
}

Mariadb::Mariadb(const Link& link) : link_(link) {
    const auto directory = make_temp_dir();
    start_server(process_,
                 {.argv = {"mariadbd", "--no-defaults", "--user=root", "--skip-grant-tables",
                           "--skip-name-resolve", "--datadir=" + directory,
                           "--socket=" + directory + "/socket", "--pid-file=" + directory + "/pid",
                           "--bind-address=*", fmt::format("--port={}", port)},
                  .network_namespace = link.server.fd(),
                  .output = directory + "/output"},
                 "ready for connections");
}

Command Mariadb::client(const Dest& dest, const std::string& statements) const {
    return {.argv = {"mariadb", "--no-defaults", "-N", "-B", "-h", dest.host, "-P",
                     std::to_string(dest.port), "-e", statements},
            .network_namespace = link_.client.fd()};
}

std::string Mariadb::ask(const Dest& dest, const std::string& statement) const {
    return without_newline(run_ok(client(dest, statement)));
}

} // namespace ballast::test
