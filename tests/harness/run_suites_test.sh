#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# The test of tests/run-suites itself, staged as unit/run_suites: every way in which a test can
# fail without saying so must be counted, since everything else is believed on the runner's word.

set -u
runner=$(cd "$(dirname "$0")/.." && pwd)/run-suites
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for suite in unit bpf api golden e2e refusal; do mkdir -p "$work/bin" "$work/tests/$suite"; done
cp "$runner" "$work/tests/run-suites"
unset BALLAST_VM BALLAST_TEST_SCALE
number=0
kernel= # of the virtual machine that it is told it runs in

# fake SUITE/TEST BODY
fake() {
	printf '#!/bin/sh\n%s\n' "$2" >"$work/tests/$1"
	chmod +x "$work/tests/$1"
}

# expect DESCRIPTION STATUS LAST-LINE PATTERN [ARG...]: one run of the fake stage
expect() {
	what=$1 status=$2 last=$3 pattern=$4
	shift 4
	number=$((number + 1))
	env ${kernel:+"BALLAST_VM=$kernel"} "$work/tests/run-suites" "$@" >"$work/out" 2>&1
	got=$?
	if [ "$got" -eq "$status" ] && [ "$(tail -n 1 "$work/out")" = "$last" ] && grep -q -- "$pattern" "$work/out"; then
		echo "ok $number - $what"
	else
		echo "not ok $number - $what"
		echo "# wanted status $status, '$last', and '$pattern'; got status $got and:"
		sed 's/^/# /' "$work/out"
	fi
	rm -f "$work"/tests/*/*
}

# checks LINE...: what `ballast check --json` prints
checks() {
	printf '#!/bin/sh\ncat <<END\n%s\nEND\n' "$1" >"$work/bin/ballast"
	chmod +x "$work/bin/ballast"
}

echo 1..17
checks '{"schema":1,"features":[{"feature":"timers","answer":"no","required":false},{"feature":"hooks","answer":"yes"}]}'

fake unit/good 'echo 1..2; echo ok 1 - a; echo ok 2 - b'
fake e2e/good 'echo 1..1; echo ok 1'
fake refusal/not_asked 'echo 1..1; echo not ok 1'
expect "passes are counted over the suites, refusal left out" 0 "3 passed, 0 failed" "== e2e/good: 1 passed"

kernel=6.1
for suite in unit bpf api golden e2e; do fake $suite/a 'echo 1..1; echo ok 1'; done
expect "a virtual machine is asked what concerns its kernel, and that is said" 0 "2 passed, 0 failed" "its kernel: bpf e2e"
fake unit/a 'echo 1..1; echo ok 1'
expect "or what is named" 0 "1 passed, 0 failed" "== unit/a" unit
kernel=

fake unit/a 'echo 1..1; echo ok 1'
fake unit/b 'echo 1..1; echo not ok 1 - why'
expect "one test by name" 0 "1 passed, 0 failed" "== unit/a" unit/a

fake unit/bad 'echo 1..2; echo ok 1; echo "not ok 2 - this one"; exit 1'
expect "a failure names itself" 1 "1 passed, 1 failed" "^FAILED unit/bad: not ok 2 - this one"

fake unit/mute 'echo hello'
expect "no TAP is a failure" 1 "0 passed, 1 failed" "FAILED unit/mute: printed no TAP result (status 0)"

fake unit/crash 'echo 1..2; echo ok 1; kill -SEGV $$'
expect "a crash is a failure" 1 "1 passed, 1 failed" "FAILED unit/crash: was killed by signal 11"

fake unit/short 'echo 1..2; echo ok 1'
expect "a broken plan is a failure" 1 "1 passed, 1 failed" "planned 2 results and gave 1"

fake unit/status 'echo 1..1; echo ok 1; exit 3'
expect "an unexplained status is a failure" 1 "1 passed, 1 failed" "ended with status 3"

fake unit/slow 'echo 1..2; echo ok 1; sleep 60'
echo 1 >"$work/tests/unit/slow.timeout"
expect "too long is a failure, with a limit of its own" 1 "1 passed, 1 failed" "did not end within 1 s"

expect "no test at all is a failure" 1 "0 passed, 0 failed" "0 passed"

fake unit/skips 'echo 1..2; echo ok 1; echo "ok 2 # SKIP kernel lacks timers"'
expect "an earned skip" 0 "1 passed, 0 failed, 1 skipped" "1 skipped"

fake unit/skips 'echo 1..2; echo ok 1; echo "# kernel lacks timers"; echo "not ok 2 # SKIP name"'
expect "an earned skip as cmocka prints it" 0 "1 passed, 0 failed, 1 skipped" "1 skipped"

fake unit/skips 'echo 1..2; echo ok 1; echo "ok 2 # SKIP kernel lacks hooks"'
expect "a skip that ballast check denies" 1 "1 passed, 1 failed" "does not say that the kernel lacks hooks"

fake unit/skips 'echo 1..3; echo "# kernel lacks timers"; echo ok 1; echo "ok 2 # SKIP not in the mood"; echo "not ok 3 # SKIP name"'
expect "a skip without that reason" 1 "1 passed, 2 failed" "without the reason"

fake unit/a 'exit 1'
expect "--list runs nothing" 0 "unit/a" "^unit/a$" --list

fake unit/a 'exit 1'
expect "an unknown name is refused" 2 "run-suites: there is no suite or test 'unit/b'. Suites: unit bpf api golden e2e refusal; tests: run-suites --list." "no suite" unit/b
