// SPDX-License-Identifier: Apache-2.0
// Where the model and the programs name the same thing by a number or a size, the numbers agree.
#include "bpf/abi.h"
#include "daemon/model/breaker_order.h"
#include "daemon/model/destination.h"
#include "daemon/model/policy.h"

namespace ballast::kernel {

static_assert(kMaxServices == BALLAST_MAX_SERVICES - 1);
static_assert(kMaxTargets == BALLAST_MAX_PREFIXES);
static_assert(kMaxPortSpans == BALLAST_MAX_PORT_SPANS);
static_assert(kMaxServiceName == BALLAST_SERVICE_NAME_LENGTH - 1);
static_assert(kMaxConnections < BALLAST_UNLIMITED);
static_assert(static_cast<int>(Mode::off) == BALLAST_MODE_OFF);
static_assert(static_cast<int>(Mode::observe) == BALLAST_MODE_OBSERVE);
static_assert(static_cast<int>(Mode::enforce) == BALLAST_MODE_ENFORCE);
static_assert(static_cast<int>(OnLimit::refused) == BALLAST_ON_LIMIT_REFUSED);
static_assert(static_cast<int>(OnLimit::again) == BALLAST_ON_LIMIT_AGAIN);
static_assert(static_cast<int>(OnLimit::unreachable) == BALLAST_ON_LIMIT_UNREACHABLE);
static_assert(kFailures == BALLAST_FAILURES);
static_assert(static_cast<int>(Failure::timed_out) == BALLAST_FAILURE_TIMED_OUT);
static_assert(static_cast<int>(Failure::refused) == BALLAST_FAILURE_REFUSED);
static_assert(static_cast<int>(Failure::unreachable) == BALLAST_FAILURE_UNREACHABLE);
static_assert(static_cast<int>(Failure::slow) == BALLAST_FAILURE_SLOW);
static_assert(static_cast<int>(Failure::reset) == BALLAST_FAILURE_RESET);
static_assert(static_cast<int>(Failure::half_open_flow) == BALLAST_FAILURE_HALF_OPEN_FLOW);
static_assert(BALLAST_REASON_LIMIT == 0 && BALLAST_REASON_TOTAL == 1 &&
              BALLAST_REASON_CONSUMER == 2 && BALLAST_REASON_RATE == 3 &&
              BALLAST_REASON_BREAKER + 1 == kReasons);
static_assert(kMaxReasonBytes == sizeof(ballast_breaker::forced_reason) - 1);

} // namespace ballast::kernel
