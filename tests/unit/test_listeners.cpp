// SPDX-License-Identifier: Apache-2.0
// daemon/api/unix_socket and loopback: what is replaced, what is refused, what is left behind.
#include <array>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include <sys/stat.h>

#include "daemon/api/loopback.h"
#include "daemon/api/unix_socket.h"
#include "tests/harness/cmocka.hpp"
#include "tests/harness/group.h"

namespace test_listeners {

namespace {

using namespace ballast;
using namespace ballast::api;
namespace fs = std::filesystem;

/// The directory of the running test, made and removed by its fixtures.
struct Place {
    std::string directory;
    [[nodiscard]] std::string socket() const { return directory + "/query.sock"; }
};

int set_up(void** state) {
    std::string name = fs::temp_directory_path() / "ballast-listeners-XXXXXX";
    if (::mkdtemp(name.data()) == nullptr)
        return -1;
    *state = new Place{name};
    return 0;
}

int tear_down(void** state) {
    const auto* place = static_cast<Place*>(*state);
    fs::remove_all(place->directory);
    delete place;
    return 0;
}

const Place& place_of(void** state) {
    return *static_cast<Place*>(*state);
}

mode_t mode_of(const std::string& path) {
    struct stat file {};
    assert_int_equal(::stat(path.c_str(), &file), 0);
    return file.st_mode & 07777;
}

void makes_and_removes(void** state) {
    const std::string path = place_of(state).socket();
    {
        const auto socket = UnixSocket::listen(path, 0660, kOwnGroup);
        assert_true(socket.has_value());
        assert_int_equal(mode_of(path), 0660);
    }
    assert_false(fs::exists(path));
}

void replaces_the_stale(void** state) {
    const std::string path = place_of(state).socket();
    {
        auto crashed = UnixSocket::listen(path, 0600, kOwnGroup);
        assert_true(crashed.has_value());
        // what kill -9 leaves: the file without a listener
        fs::rename(path, path + ".kept");
    }
    fs::rename(path + ".kept", path);
    const auto socket = UnixSocket::listen(path, 0600, kOwnGroup);
    assert_true(socket.has_value());
    assert_int_equal(mode_of(path), 0600);
}

void refuses_the_living(void** state) {
    const std::string path = place_of(state).socket();
    const auto first = UnixSocket::listen(path, 0600, kOwnGroup);
    assert_true(first.has_value());
    const auto second = UnixSocket::listen(path, 0600, kOwnGroup);
    assert_false(second.has_value());
    assert_int_equal(second.error().errno_value(), EADDRINUSE);
    assert_true(fs::exists(path));
}

void leaves_other_files_alone(void** state) {
    const std::string path = place_of(state).socket();
    std::ofstream(path) << "not a socket";
    const auto socket = UnixSocket::listen(path, 0600, kOwnGroup);
    assert_false(socket.has_value());
    assert_string_equal(socket.error().message().c_str(),
                        (path + " is in the way and is not a socket").c_str());
    assert_true(fs::is_regular_file(path));
}

void leaves_a_successor_alone(void** state) {
    const std::string path = place_of(state).socket();
    {
        const auto old = UnixSocket::listen(path, 0600, kOwnGroup);
        assert_true(old.has_value());
        fs::remove(path);
        std::ofstream(path) << "a successor's";
    }
    assert_true(fs::exists(path));
}

void refuses_long_paths(void** state) {
    const std::string path = place_of(state).directory + "/" + std::string(108, 'x');
    const auto socket = UnixSocket::listen(path, 0600, kOwnGroup);
    assert_false(socket.has_value());
    assert_non_null(std::strstr(socket.error().message().c_str(), "is longer than 107 bytes"));
}

void names_the_missing_directory(void** state) {
    const std::string path = place_of(state).directory + "/none/query.sock";
    const auto socket = UnixSocket::listen(path, 0600, kOwnGroup);
    assert_false(socket.has_value());
    assert_int_equal(socket.error().errno_value(), ENOENT);
}

void only_loopback(void**) {
    for (const char* bad : {"0.0.0.0:9123", "192.0.2.1:9123", "[::]:9123", "[2001:db8::1]:9123",
                            "localhost:9123", "127.0.0.1", "127.0.0.1:0", ""})
        assert_false(listen_loopback(bad).has_value());
}

void own_group_where_none_is_named(void**) {
    assert_true(group_or_own("no-such-group-of-ballast") == kOwnGroup);
    assert_true(group_or_own("root") == 0);
}

} // namespace

TEST_GROUP(listeners) {
    const CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(makes_and_removes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(replaces_the_stale, set_up, tear_down),
        cmocka_unit_test_setup_teardown(refuses_the_living, set_up, tear_down),
        cmocka_unit_test_setup_teardown(leaves_other_files_alone, set_up, tear_down),
        cmocka_unit_test_setup_teardown(leaves_a_successor_alone, set_up, tear_down),
        cmocka_unit_test_setup_teardown(refuses_long_paths, set_up, tear_down),
        cmocka_unit_test_setup_teardown(names_the_missing_directory, set_up, tear_down),
        cmocka_unit_test(only_loopback),
        cmocka_unit_test(own_group_where_none_is_named),
    };
    return cmocka_run_group_tests_name("listeners", tests, nullptr, nullptr);
}

} // namespace test_listeners
