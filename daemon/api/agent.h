// SPDX-License-Identifier: Apache-2.0
// HAProxy's agent-check: a line names a listener, the answer is how much of its share it should get
// (HAProxy's configuration manual, "agent-check" and "agent-send").
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "daemon/api/backend.h"
#include "daemon/util/error.h"

struct sd_event;

namespace ballast::api {

/// The answer to a line without its end: "ENDPOINT" or "ENDPOINT NETNS". "up 75%\n"; "up 0%\n"
/// where nobody accepts; "failed#..." where nobody listens; "\n", which HAProxy ignores, where the
/// line is no such thing. Never "drain": only "ready" would end it, and that ends the operator's
/// own maintenance too.
std::string agent_answer(std::string_view line, Backend& backend);

/// Answers on a loopback port.
///
/// Bounds: 64 connections, further ones are closed; a line of 256 bytes; 2 s for each.
class Agent {
public:
    /// `event` and `backend` must outlive it.
    Agent(sd_event* event, Backend& backend);
    ~Agent();
    Agent(const Agent&) = delete;
    Agent& operator=(const Agent&) = delete;

    /// Listens at "127.0.0.1:PORT" or "[::1]:PORT", moves there when it was elsewhere, closes when
    /// `endpoint` is empty. On failure the earlier one stays open.
    Result<void> listen(const std::string& endpoint);

private:
    struct State;
    std::unique_ptr<State> state_;
};

} // namespace ballast::api
