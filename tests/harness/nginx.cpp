// SPDX-License-Identifier: Apache-2.0
#include "tests/harness/nginx.h"

#include <csignal>
#include <sstream>

#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/harness/check.h"
#include "tests/harness/registry.h"
#include "tests/harness/sandbox.h"
#include "tests/harness/sockets.h"
#include "tests/harness/ss.h"

namespace ballast::test {

namespace {

constexpr auto configuration = R"(
daemon off;
user root;
worker_processes 1;
pid {0}/pid;
error_log {0}/error.log warn;
events {{ worker_connections 16384; }}
http {{
    log_format port "$server_port";
    access_log {0}/access.log port;
    client_body_temp_path {0}/body;
    proxy_temp_path {0}/proxy;
    fastcgi_temp_path {0}/fastcgi;
    uwsgi_temp_path {0}/uwsgi;
    scgi_temp_path {0}/scgi;
    keepalive_timeout 3600;
    client_header_timeout 3600;
    keepalive_requests 100000000;
    server {{
        listen {1}-{2} backlog=4096;
        listen [::]:{1}-{2} ipv6only=on backlog=4096;
        location / {{ return 200 "ok\n"; }}
    }}
}}
)";

} // namespace

Nginx::Nginx(const Netns& where) : where_(where), directory_(make_temp_dir()) {
    write_file(directory_ + "/nginx.conf",
               fmt::format(fmt::runtime(configuration), directory_, first_port, last_port));
    Registry::current().on_failure([this] {
        note("nginx: " + read_file(directory_ + "/output") + read_file(directory_ + "/error.log"));
    });
    start();
}

Nginx::~Nginx() {
    // its worker only ends with an orderly exit of the master
    master_.signal(SIGTERM);
    master_.wait(std::chrono::seconds(5));
}

void Nginx::start() {
    master_.start({.argv = {"nginx", "-p", directory_, "-e", directory_ + "/error.log", "-c",
                            directory_ + "/nginx.conf"},
                   .network_namespace = where_.fd(),
                   .output = directory_ + "/output"});
    // It listens before it writes this.
    await([this] { return !read_file(directory_ + "/pid").empty(); }, "nginx has started");
}

void Nginx::kill() {
    // Its worker would outlive a master that is killed, and a master that runs would start another.
    master_.signal(SIGSTOP);
    std::istringstream children(
        read_file(fmt::format("/proc/{0}/task/{0}/children", master_.pid())));
    for (pid_t worker = 0; children >> worker;) {
        const Fd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, worker, 0)));
        ::kill(worker, SIGKILL);
        check(wait_fd(pidfd.get(), POLLIN, Clock::now() + patience()), "nginx's worker ends");
    }
    master_.kill();
    write_file(directory_ + "/pid", "");
}

std::uint16_t Nginx::next_port() {
    const auto port = static_cast<std::uint16_t>(first_port + given_++);
    check(port <= last_port, "nginx listens on enough ports");
    return port;
}

unsigned Nginx::requests(std::uint16_t port) const {
    std::istringstream lines(read_file(directory_ + "/access.log"));
    unsigned count = 0;
    for (std::string line; std::getline(lines, line);)
        count += line == std::to_string(port) ? 1U : 0U;
    return count;
}

} // namespace ballast::test
