// SPDX-License-Identifier: Apache-2.0
// docs/openapi.json against the running server: what is served is documented, what is documented
// happens, every answer has the form it is documented with.
#include <map>
#include <set>
#include <tuple>

#include "daemon/api/message.h"
#include "daemon/api/routes.h"
#include "daemon/findings/reasons.h"
#include "tests/api/fake_daemon.h"
#include "tests/api/schema.h"
#include "tests/harness/check.h"
#include "tests/harness/group.h"
#include "tests/harness/registry.h"
#include "tests/harness/suite.h"

namespace test_openapi {

namespace {

using namespace ballast;
using namespace ballast::test;
using nlohmann::json;

/// Method in lower case, path as documented, status: what a documented answer is known by.
using Answer = std::tuple<std::string, std::string, std::string>;

enum class To { calm, calm_query, broken, night };

/// A request and the documented answer it must get.
struct Row {
    std::string name;
    std::string method;
    std::string path; ///< as documented
    std::string url;
    std::string body;
    To to;
    int status;
};

std::string big_body() {
    return std::string(api::kMaxBodyBytes + 1, ' ');
}

const std::string kLimit = "/v1/limits/{target}";
const std::string kOrders = "/v1/limits/orders-db";
const std::string kMax = R"({"max_connections": 7})";
const std::string kBreaker = "/v1/breakers/{endpoint}";
const std::string kPayments = "/v1/breakers/192.0.2.10%3A443";
const std::string kNowhere = "/v1/breakers/203.0.113.1%3A1";
const std::string kPath = "/v1/paths/{endpoint}";
const std::string kPathTo = "/v1/paths/10.0.0.5%3A5432";
const std::string kSilence = R"({"survived_ms": 60000, "died_ms": 70000})";
const std::string kOpen = R"({"force": "open"})";

const std::vector<Row> kRows{
    {"status", "GET", "/v1/status", "/v1/status", "", To::calm, 200},
    {"status on query.sock", "GET", "/v1/status", "/v1/status", "", To::calm_query, 200},
    {"status with trouble", "GET", "/v1/status", "/v1/status", "", To::night, 200},
    {"status takes no parameter", "GET", "/v1/status", "/v1/status?x=1", "", To::calm, 400},
    {"status of a broken daemon", "GET", "/v1/status", "/v1/status", "", To::broken, 503},
    {"health", "GET", "/v1/health", "/v1/health", "", To::night, 200},
    {"health of an endpoint", "GET", "/v1/health", "/v1/health?dest=10.0.0.5%3A5432", "", To::night,
     200},
    {"health of nothing", "GET", "/v1/health", "/v1/health?service=none", "", To::night, 200},
    {"health by state", "GET", "/v1/health", "/v1/health?state=at+limit&limit=1", "", To::night,
     200},
    {"health limit 0", "GET", "/v1/health", "/v1/health?limit=0", "", To::night, 400},
    {"health of a broken daemon", "GET", "/v1/health", "/v1/health", "", To::broken, 503},
    {"flows", "GET", "/v1/flows", "/v1/flows", "", To::calm, 200},
    {"flows filtered", "GET", "/v1/flows",
     "/v1/flows?dest=10.0.0.0%2F24&state=established&direction=outbound&limit=2&service=orders-db",
     "", To::calm, 200},
    {"flows of no direction", "GET", "/v1/flows", "/v1/flows?direction=up", "", To::calm, 400},
    {"flows before the first sweep", "GET", "/v1/flows", "/v1/flows", "", To::broken, 200},
    {"sweep", "POST", "/v1/sweep", "/v1/sweep", "", To::calm, 200},
    {"a full sweep", "POST", "/v1/sweep", "/v1/sweep?full=true", "", To::calm, 200},
    {"a sweep by another parameter", "POST", "/v1/sweep", "/v1/sweep?a=b", "", To::calm, 400},
    {"a sweep that is maybe full", "POST", "/v1/sweep", "/v1/sweep?full=maybe", "", To::calm, 400},
    {"a sweep on query.sock", "POST", "/v1/sweep", "/v1/sweep", "", To::calm_query, 403},
    {"a sweep with a big body", "POST", "/v1/sweep", "/v1/sweep", big_body(), To::calm, 413},
    {"a sweep that fails", "POST", "/v1/sweep", "/v1/sweep", "", To::broken, 503},
    {"limits", "GET", "/v1/limits", "/v1/limits", "", To::calm, 200},
    {"limits limited", "GET", "/v1/limits", "/v1/limits?limit=1", "", To::calm, 200},
    {"limits of no number", "GET", "/v1/limits", "/v1/limits?limit=ten", "", To::calm, 400},
    {"limits of a broken daemon", "GET", "/v1/limits", "/v1/limits", "", To::broken, 503},
    {"set", "PUT", kLimit, kOrders, kMax, To::calm, 200},
    {"set an endpoint", "PUT", kLimit, "/v1/limits/%5B2001%3Adb8%3A%3A5%5D%3A443",
     R"({"max_connections": 1, "mode": "observe", "on_limit": "again"})", To::calm, 200},
    {"set all there is", "PUT", kLimit, kOrders,
     R"({"max_connections": 7, "max_connections_total": 9, "max_per_consumer": 3,)"
     R"( "max_connect_rate": 50, "burst": 60, "mode": "observe", "on_limit": "again",)"
     R"( "lasts_ms": 60000})",
     To::calm, 200},
    {"limits with one that ends", "GET", "/v1/limits", "/v1/limits", "", To::calm, 200},
    {"set a total below the limit", "PUT", kLimit, kOrders,
     R"({"max_connections": 7, "max_connections_total": 6})", To::calm, 400},
    {"set for too long", "PUT", kLimit, kOrders,
     R"({"max_connections": 7, "lasts_ms": 31622400001})", To::calm, 400},
    {"set nothing", "PUT", kLimit, kOrders, "{}", To::calm, 400},
    {"set too many", "PUT", kLimit, kOrders, R"({"max_connections": 1000001})", To::calm, 400},
    {"set on query.sock", "PUT", kLimit, kOrders, kMax, To::calm_query, 403},
    {"set what is not there", "PUT", kLimit, "/v1/limits/no-such", kMax, To::calm, 404},
    {"set with a big body", "PUT", kLimit, kOrders, big_body(), To::calm, 413},
    {"set without a store", "PUT", kLimit, kOrders, kMax, To::broken, 503},
    {"unset", "DELETE", kLimit, kOrders, "", To::calm, 200},
    {"unset again", "DELETE", kLimit, kOrders, "", To::calm, 404},
    {"unset with a parameter", "DELETE", kLimit, kOrders + "?force=1", "", To::calm, 400},
    {"unset on query.sock", "DELETE", kLimit, kOrders, "", To::calm_query, 403},
    {"unset with a big body", "DELETE", kLimit, kOrders, big_body(), To::calm, 413},
    {"unset without a store", "DELETE", kLimit, kOrders, "", To::broken, 503},
    {"explain", "GET", "/v1/explain", "/v1/explain?destination=10.0.0.5%3A5432", "", To::night,
     200},
    {"explain for a consumer", "GET", "/v1/explain",
     "/v1/explain?destination=10.0.0.5%3A5432&from=%2Fsystem.slice%2Freport.service&limit=1", "",
     To::night, 200},
    {"explain what nobody governs", "GET", "/v1/explain", "/v1/explain?destination=203.0.113.1%3A1",
     "", To::night, 200},
    {"explain nothing", "GET", "/v1/explain", "/v1/explain", "", To::night, 400},
    {"explain with a broken daemon", "GET", "/v1/explain",
     "/v1/explain?destination=10.0.0.5%3A5432", "", To::broken, 503},
    {"breakers", "GET", "/v1/breakers", "/v1/breakers", "", To::night, 200},
    {"no breakers", "GET", "/v1/breakers", "/v1/breakers", "", To::calm_query, 200},
    {"breakers filtered", "GET", "/v1/breakers",
     "/v1/breakers?dest=10.0.0.0%2F24&state=half-open&service=audit&limit=1", "", To::night, 200},
    {"breakers of no state", "GET", "/v1/breakers", "/v1/breakers?state=ajar", "", To::night, 400},
    {"breakers of a broken daemon", "GET", "/v1/breakers", "/v1/breakers", "", To::broken, 503},
    {"ports", "GET", "/v1/ports", "/v1/ports", "", To::night, 200},
    {"no ports", "GET", "/v1/ports", "/v1/ports?dest=203.0.113.9", "", To::calm_query, 200},
    {"ports filtered", "GET", "/v1/ports",
     "/v1/ports?dest=10.0.0.0%2F24&source=10.0.0.2&state=knee&limit=1", "", To::night, 200},
    {"ports of a broken daemon", "GET", "/v1/ports", "/v1/ports", "", To::broken, 503},
    {"ports of no state", "GET", "/v1/ports", "/v1/ports?state=ajar", "", To::night, 400},
    {"listeners", "GET", "/v1/listeners", "/v1/listeners", "", To::night, 200},
    {"no listeners", "GET", "/v1/listeners", "/v1/listeners?local=203.0.113.9", "", To::calm_query,
     200},
    {"listeners filtered", "GET", "/v1/listeners",
     "/v1/listeners?local=10.0.0.0%2F24&state=overflow&limit=1", "", To::night, 200},
    {"listeners of a broken daemon", "GET", "/v1/listeners", "/v1/listeners", "", To::broken, 503},
    {"ready", "GET", "/ready/{endpoint}", "/ready/127.0.0.1:6379", "", To::night, 200},
    {"not ready", "GET", "/ready/{endpoint}", "/ready/10.0.0.2:5432?netns=4026531840", "",
     To::night, 503},
    {"nobody listens", "GET", "/ready/{endpoint}", "/ready/203.0.113.9:1", "", To::calm_query, 503},
    {"ready of no endpoint", "GET", "/ready/{endpoint}", "/ready/db", "", To::night, 400},
    {"ready of no namespace", "GET", "/ready/{endpoint}", "/ready/127.0.0.1:6379?netns=me", "",
     To::night, 400},
    {"listeners of no state", "GET", "/v1/listeners", "/v1/listeners?state=ajar", "", To::night,
     400},
    {"force", "PUT", kBreaker, kPayments, kOpen, To::night, 200},
    {"force with all there is", "PUT", kBreaker, kPayments,
     R"({"force": "closed", "reason": "a test", "lasts_ms": 60000})", To::night, 200},
    {"force nothing", "PUT", kBreaker, kPayments, "{}", To::night, 400},
    {"force no endpoint", "PUT", kBreaker, "/v1/breakers/payments", kOpen, To::night, 400},
    {"force on query.sock", "PUT", kBreaker, kPayments, kOpen, To::calm_query, 403},
    {"force what is not governed", "PUT", kBreaker, kNowhere, kOpen, To::night, 404},
    {"force with a big body", "PUT", kBreaker, kPayments, big_body(), To::night, 413},
    {"force without a kernel", "PUT", kBreaker, "/v1/breakers/10.0.0.5%3A5432", kOpen, To::broken,
     503},
    {"findings", "GET", "/v1/findings", "/v1/findings", "", To::night, 200},
    {"no findings", "GET", "/v1/findings", "/v1/findings", "", To::calm_query, 200},
    {"findings since a time", "GET", "/v1/findings",
     "/v1/findings?since=2024-05-01T04%3A47%3A00%2B00%3A00&destination=192.0.2.0%2F24"
     "&reason=breaker_reopened&limit=1",
     "", To::night, 200},
    {"findings after an id", "GET", "/v1/findings", "/v1/findings?since=1041&limit=2", "",
     To::night, 200},
    {"findings since no time", "GET", "/v1/findings", "/v1/findings?since=yesterday", "", To::night,
     400},
    {"findings after no id", "GET", "/v1/findings", "/v1/findings?since=9223372036854775808", "",
     To::night, 400},
    {"findings of no reason", "GET", "/v1/findings", "/v1/findings?reason=bad_luck", "", To::night,
     400},
    {"findings of a broken daemon", "GET", "/v1/findings", "/v1/findings", "", To::broken, 503},
    {"a path", "PUT", kPath, kPathTo, kSilence, To::night, 200},
    {"a path, half known", "PUT", kPath, kPathTo, R"({"survived_ms": 60000})", To::night, 200},
    {"a path to no endpoint", "PUT", kPath, "/v1/paths/db", kSilence, To::night, 400},
    {"a path without silence", "PUT", kPath, kPathTo, "{}", To::night, 400},
    {"a path on query.sock", "PUT", kPath, kPathTo, kSilence, To::calm_query, 403},
    {"a path with a big body", "PUT", kPath, kPathTo, big_body(), To::night, 413},
    {"a path of a broken daemon", "PUT", kPath, kPathTo, kSilence, To::broken, 503},
    {"a path takes no parameter", "PUT", kPath, kPathTo + "?x=1", kSilence, To::night, 400},
    {"take back", "DELETE", kBreaker, kPayments, "", To::night, 200},
    {"take back again", "DELETE", kBreaker, kPayments, "", To::night, 404},
    {"take back from no endpoint", "DELETE", kBreaker, "/v1/breakers/payments", "", To::night, 400},
    {"take back on query.sock", "DELETE", kBreaker, kPayments, "", To::calm_query, 403},
    {"take back with a big body", "DELETE", kBreaker, kPayments, big_body(), To::night, 413},
    {"take back without a kernel", "DELETE", kBreaker, kPayments, "", To::broken, 503},
    {"reload", "POST", "/v1/reload", "/v1/reload", "", To::calm, 200},
    {"reload with a parameter", "POST", "/v1/reload", "/v1/reload?x", "", To::calm, 400},
    {"reload on query.sock", "POST", "/v1/reload", "/v1/reload", "", To::calm_query, 403},
    {"reload a bad file", "POST", "/v1/reload", "/v1/reload", "", To::night, 409},
    {"reload with a big body", "POST", "/v1/reload", "/v1/reload", big_body(), To::calm, 413},
    {"reload a broken daemon", "POST", "/v1/reload", "/v1/reload", "", To::broken, 503},
    {"document", "GET", "/v1/openapi.json", "/v1/openapi.json", "", To::calm, 200},
    {"document with a parameter", "GET", "/v1/openapi.json", "/v1/openapi.json?x=1", "", To::calm,
     400},
    {"metrics", "GET", "/metrics", "/metrics", "", To::calm_query, 200},
    {"metrics with a parameter", "GET", "/metrics", "/metrics?x=1", "", To::calm, 400},
    {"metrics of a broken daemon", "GET", "/metrics", "/metrics", "", To::broken, 503},
    {"stop with a parameter", "POST", "/v1/stop", "/v1/stop?now=1", "", To::calm, 400},
    {"stop on query.sock", "POST", "/v1/stop", "/v1/stop", "", To::calm_query, 403},
    {"stop with a big body", "POST", "/v1/stop", "/v1/stop", big_body(), To::calm, 413},
    {"stop", "POST", "/v1/stop", "/v1/stop", "", To::calm, 200},
};

/// The three daemons that all cases share.
struct Daemons {
    FakeDaemon calm{Scene::calm};
    FakeDaemon night{Scene::night};
    FakeDaemon broken{Scene::broken};
};
Daemons* daemons = nullptr;

const FakeDaemon& daemon_of(To to) {
    if (to == To::night)
        return daemons->night;
    return to == To::broken ? daemons->broken : daemons->calm;
}

const json& document() {
    static const json parsed =
        json::parse(daemons->night.ask("GET", "/v1/openapi.json").body, nullptr, false);
    return parsed;
}

/// What a "$ref" stands for; anything else is itself.
const json& resolved(const json& one) {
    const auto reference = one.find("$ref");
    if (reference == one.end())
        return one;
    return document().at(json::json_pointer(reference->get<std::string>().substr(1)));
}

std::string lower(std::string text) {
    for (char& c : text)
        c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    return text;
}

/// Compares an answer with its documentation; a content that is not JSON is only text.
void conforms(const Row& row) {
    const auto reply =
        daemon_of(row.to).ask(row.method, row.url, row.body, row.to != To::calm_query);
    check_equal(reply.status, long{row.status}, reply.body);
    const json& responses =
        document().at("paths").at(row.path).at(lower(row.method)).at("responses");
    const json& content = resolved(responses.at(std::to_string(row.status))).at("content");
    const std::string type = reply.content_type.substr(0, reply.content_type.find(';'));
    check(content.contains(type), "the content type is documented: " + reply.content_type);
    if (type != "application/json")
        return;
    const json body = json::parse(reply.body, nullptr, false);
    check(!body.is_discarded(), "the body is JSON: " + reply.body);
    const auto problems = schema_problems(document(), content.at(type).at("schema"), body);
    check_equal(fmt::format("{}", fmt::join(problems, "; ")), std::string(), reply.body);
}

std::set<Answer> documented_answers() {
    std::set<Answer> found;
    for (const auto& [path, operations] : document().at("paths").items())
        for (const auto& [method, operation] : operations.items())
            for (const auto& [status, unused] : operation.at("responses").items())
                found.emplace(method, path, status);
    return found;
}

void every_answer_is_tried() {
    auto missing = documented_answers();
    for (const Row& row : kRows)
        missing.erase({lower(row.method), row.path, std::to_string(row.status)});
    for (const auto& [method, path, status] : missing)
        fail_test(fmt::format("documented but never seen: {} {} {}", method, path, status));
}

void every_reason_is_documented() {
    std::set<std::string> documented;
    for (const json& code : document().at("components").at("schemas").at("Reason").at("enum"))
        documented.insert(code.get<std::string>());
    std::set<std::string> known;
    for (const auto& row : findings::kReasons)
        known.emplace(row.code);
    check(documented == known, "the reasons of docs/openapi.json are those of the table");
}

void served_is_documented() {
    std::set<std::pair<std::string, std::string>> served;
    std::set<std::pair<std::string, std::string>> documented;
    for (const api::Route& route : api::routes())
        served.emplace(lower(std::string(route.method)), route.path);
    for (const auto& [method, path, status] : documented_answers())
        documented.emplace(method, path);
    check(served == documented, "the server's routes are those of docs/openapi.json");
}

std::string assignment(const json& parameter) {
    const json& example = parameter.at("example");
    const std::string value = example.is_string() ? example.get<std::string>() : example.dump();
    return fmt::format("{}={}", parameter.at("name").get<std::string>(),
                       cli::percent_encode(value));
}

bool is_of_path(const json& parameter) {
    return parameter.at("in") == "path";
}

/// The path with the examples of what is in braces.
std::string example_path(std::string path, const json& parameters) {
    for (const auto& listed : parameters) {
        const json& parameter = resolved(listed);
        const std::string name = "{" + parameter.at("name").get<std::string>() + "}";
        if (is_of_path(parameter))
            path.replace(path.find(name), name.size(), parameter.at("example").get<std::string>());
    }
    return path;
}

/// Of the query.
std::vector<json> query_parameters(const json& parameters) {
    std::vector<json> of_query;
    for (const auto& listed : parameters)
        if (!is_of_path(resolved(listed)))
            of_query.push_back(resolved(listed));
    return of_query;
}

/// Parameters that are documented are taken, each with those that are required; the others are
/// covered by rows with ?x=1.
void parameters_are_taken() {
    for (const auto& [path, operations] : document().at("paths").items()) {
        if (!operations.contains("get"))
            continue;
        const json parameters = operations.at("get").value("parameters", json::array());
        const auto of_query = query_parameters(parameters);
        std::string required;
        for (const auto& parameter : of_query)
            if (parameter.value("required", false))
                required += assignment(parameter) + "&";
        for (const auto& parameter : of_query) {
            const bool again = parameter.value("required", false);
            const std::string url = fmt::format("{}?{}", example_path(path, parameters),
                                                (again ? "" : required) + assignment(parameter));
            check_equal(daemons->night.ask("GET", url).status, 200L, url);
        }
    }
}

void schemas_are_strict() {
    for (const auto& [name, schema] : document().at("components").at("schemas").items()) {
        if (schema.at("type") != "object")
            continue;
        check(!schema.value("additionalProperties", true), name + " allows nothing undocumented");
        check(schema.contains("required") || schema.contains("minProperties"),
              name + " says what is required");
    }
}

} // namespace

TEST_GROUP(openapi) {
    Suite suite;
    suite.shared([] { daemons = &make<Daemons>(); });
    suite.add("served_is_documented", served_is_documented);
    suite.add("every_reason_is_documented", every_reason_is_documented);
    suite.add("every_answer_is_tried", every_answer_is_tried);
    suite.add("parameters_are_taken", parameters_are_taken);
    suite.add("schemas_are_strict", schemas_are_strict);
    return suite.each(kRows, "conforms", conforms).run("openapi");
}

} // namespace test_openapi
