// SPDX-License-Identifier: Apache-2.0
#include "tests/harness/ballastd.h"

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <poll.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/harness/check.h"
#include "tests/harness/http.h"
#include "tests/harness/registry.h"

namespace ballast::test {

namespace fs = std::filesystem;

Ballastd::Ballastd(const std::string& policy, BallastdOptions options)
    : options_(std::move(options)), directory_(make_temp_dir()) {
    if (options_.cgroup.empty()) {
        own_cgroup_ = &make<Cgroup>();
        options_.cgroup = own_cgroup_->path();
    }
    if (options_.bpffs.empty())
        options_.bpffs = bpffs_mount() + "/" + unique_name();
    fs::create_directories(runtime_dir());
    fs::create_directories(state_dir());
    write_policy(policy);
    open_notify_socket();
    Registry::current().on_failure(
        [this] { note(fmt::format("log of {}:\n{}", directory_, log())); });
}

Ballastd::~Ballastd() {
    process_.kill();
    std::error_code ignored;
    fs::remove_all(options_.bpffs, ignored);
}

void Ballastd::open_notify_socket() {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const auto path = directory_ + "/notify";
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    notify_.reset(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    need(notify_ &&
             ::bind(notify_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0,
         path);
}

/// Takes every datagram that waits; true when one of them says so.
bool Ballastd::take_ready() const {
    char buffer[1024];
    bool ready = false;
    for (ssize_t got = 0; (got = ::recv(notify_.get(), buffer, sizeof buffer, 0)) >= 0;) {
        const std::string_view text(buffer, static_cast<std::size_t>(got));
        ready = ready || text.find("READY=1") != std::string_view::npos;
    }
    return ready;
}

Command Ballastd::command() const {
    Command command;
    command.argv = {staged_binary("ballastd"),
                    "--config",
                    policy_file(),
                    "--bpffs",
                    options_.bpffs,
                    "--cgroup",
                    options_.cgroup,
                    "--runtime-dir",
                    runtime_dir(),
                    "--state-dir",
                    state_dir(),
                    "--log-level",
                    "debug"};
    command.argv.insert(command.argv.end(), options_.arguments.begin(), options_.arguments.end());
    command.environment = {"NOTIFY_SOCKET=" + directory_ + "/notify"};
    command.mount_namespace = options_.mount_namespace;
    command.network_namespace = options_.network_namespace;
    command.output = directory_ + "/log";
    return command;
}

void Ballastd::launch() {
    take_ready();
    write_file(directory_ + "/log", log() + fmt::format("-- start {}\n", ++log_parts_));
    process_.start(command());
}

Ballastd& Ballastd::start() {
    launch();
    const auto deadline = Clock::now() + patience(std::chrono::minutes(1));
    while (!take_ready()) {
        pollfd entries[] = {{notify_.get(), POLLIN, 0}, {process_.pidfd(), POLLIN, 0}};
        const int events = ::poll(entries, 2, left_ms(deadline));
        if (events == 0)
            fail_test("ballastd was not ready in time");
        if ((entries[1].revents & POLLIN) != 0 && entries[0].revents == 0)
            fail_test(fmt::format("ballastd ended with status {} instead of becoming ready",
                                  process_.wait().value_or(-1)));
    }
    return *this;
}

int Ballastd::start_to_fail() {
    launch();
    return wait_exit();
}

int Ballastd::wait_exit() {
    const auto status = process_.wait();
    check(status.has_value(), "ballastd ended in time");
    return *status;
}

void Ballastd::signal(int number) const {
    check(process_.running(), "ballastd runs");
    process_.signal(number);
}

void Ballastd::stop() {
    signal(SIGTERM);
    check_equal(wait_exit(), 0, "ballastd's exit status after SIGTERM");
}

void Ballastd::crash() {
    process_.kill();
}

void Ballastd::write_policy(const std::string& text) {
    const auto next = policy_file() + ".new";
    write_file(next, text);
    fs::rename(next, policy_file());
}

void Ballastd::write_dropin(const std::string& name, const std::string& text) {
    const auto dropins = directory_ + "/policy.d";
    fs::create_directories(dropins);
    write_file(dropins + "/" + name + ".new", text);
    fs::rename(dropins + "/" + name + ".new", dropins + "/" + name);
}

void Ballastd::remove_dropin(const std::string& name) {
    fs::remove(directory_ + "/policy.d/" + name);
}

Outcome Ballastd::cli(std::vector<std::string> words) {
    Command command;
    command.argv = {staged_binary("ballast")};
    command.argv.insert(command.argv.end(), words.begin(), words.end());
    for (const auto& word :
         {std::string("--runtime-dir"), runtime_dir(), std::string("--bpffs"), options_.bpffs})
        command.argv.push_back(word);
    command.mount_namespace = options_.mount_namespace;
    command.network_namespace = options_.network_namespace;
    return run(command);
}

Json Ballastd::json(std::vector<std::string> words) {
    words.emplace_back("--json");
    const auto outcome = cli(words);
    check(outcome.status == 0,
          fmt::format("ballast {} exits with 0, not {}: {}{}", fmt::join(words, " "),
                      outcome.status, outcome.out, outcome.err));
    auto parsed = Json::parse(outcome.out, nullptr, false);
    check(parsed.is_object(), "it prints a JSON object: " + outcome.out);
    return parsed;
}

/// One request. Drains what ballastd sent to its service manager meanwhile: once that socket is
/// full, it would block for ever.
std::string Ballastd::ask(const std::string& socket, const std::string& method,
                          const std::string& target) {
    take_ready();
    const auto answer = http_request(runtime_dir() + "/" + socket, method, target);
    check(answer.status == 200,
          fmt::format("{} {} gives 200, not {}: {}", method, target, answer.status, answer.body));
    return answer.body;
}

void Ballastd::sweep() {
    ask("control.sock", "POST", "/v1/sweep?full=true");
}

void Ballastd::sweep_paced() {
    ask("control.sock", "POST", "/v1/sweep");
}

void Ballastd::reload() {
    ask("control.sock", "POST", "/v1/reload");
}

Json Ballastd::get(const std::string& target) {
    return Json::parse(ask("query.sock", "GET", target));
}

void Ballastd::enforce(const std::string& policy_text) {
    write_policy(policy_text);
    reload();
    sweep();
}

std::vector<Json> Ballastd::rows(const Dest& dest) {
    const auto health = get("/v1/health?dest=" + url_encoded(dest.text()));
    return health.at("destinations").get<std::vector<Json>>();
}

Json Ballastd::row(const Dest& dest, const std::string& service) {
    for (auto& row : rows(dest)) {
        if (row.at("service") == service)
            return row;
    }
    return nullptr;
}

long Ballastd::value(const Dest& dest, const std::string& key) {
    long sum = 0;
    for (const auto& row : rows(dest))
        sum += row.at(key).is_null() ? 0 : row.at(key).get<long>();
    return sum;
}

bool Ballastd::has_service(const std::string& name) {
    const auto limits = get("/v1/limits").at("limits");
    return std::any_of(limits.begin(), limits.end(),
                       [&](const Json& row) { return row.at("service") == name; });
}

std::string Ballastd::log() const {
    return read_file(directory_ + "/log");
}

Ballastd& start_ballastd(const std::string& policy) {
    return make<Ballastd>(policy).start();
}

std::function<bool()> Ballastd::sweeping(std::function<bool()> holds) {
    return [this, holds = std::move(holds), next = Clock::now()]() mutable {
        if (Clock::now() >= next) {
            sweep();
            next = Clock::now() + std::chrono::seconds(1);
        }
        return holds();
    };
}

} // namespace ballast::test
