#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# The test of tests/run-suites and tests/tap, staged as unit/run_suites: every way in which a test
# can fail without saying so must be counted, since everything else is believed on their word.

set -u
here=$(cd "$(dirname "$0")/.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/bin" "$work/tests/bin"
cp "$here/run-suites" "$here/tap" "$work/tests"
unset BALLAST_VM BALLAST_TEST_CASES BALLAST_TEST_SCALE BALLAST_JUNIT BALLAST_TEST_SECONDS
number=0
kernel= # of the virtual machine that it is told it runs in

# The staged list's own macros, without its tests.
begin_list() { sed '/^ballast_test(/,$d' "$here/CTestTestfile.cmake" >"$work/tests/CTestTestfile.cmake"; }

# fake SUITE/TEST BODY [LABEL]
fake() {
	file=bin/$(echo "$1" | tr / _)
	printf '#!/bin/sh\n%s\n' "$2" >"$work/tests/$file"
	chmod +x "$work/tests/$file"
	echo "ballast_test($1 ${3:-daemon} 1 \"$file\")" >>"$work/tests/CTestTestfile.cmake"
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
	rm -f "$work"/tests/bin/*
	begin_list
}

# checks LINE...: what `ballast check --json` prints
checks() {
	printf '#!/bin/sh\ncat <<END\n%s\nEND\n' "$1" >"$work/bin/ballast"
	chmod +x "$work/bin/ballast"
}

echo 1..27
begin_list
checks '{"schema":1,"features":[{"feature":"timers","answer":"no","required":false},{"feature":"hooks","answer":"yes"}]}'

several() {
	fake unit/good 'echo 1..2; echo ok 1 - a; echo ok 2 - b'
	fake e2e/good 'echo 1..1; echo ok 1' contract
	fake e2e/long 'echo 1..4; echo ok 1; echo ok 2; echo ok 3; echo ok 4' slow
	fake refusal/not_asked 'echo 1..1; echo not ok 1' contract
	fake reboot/not_asked 'echo 1..1; echo not ok 1' contract
}
several
expect "passes are counted over the suites, refusal, reboot and slow ones left out" 0 "3 passed, 0 failed" "e2e/good"
several
expect "slow ones run when asked for" 0 "7 passed, 0 failed" "e2e/long" --slow
several
expect "a suite is without its slow ones" 0 "1 passed, 0 failed" "e2e/good" e2e
several
expect "a slow one runs when named" 0 "4 passed, 0 failed" "e2e/long" e2e/long
several
kernel=6.1
expect "a virtual machine is asked what a kernel must grant, and that is said" 0 "1 passed, 0 failed" "label contract"
several
expect "or what is named" 0 "2 passed, 0 failed" "unit/good" unit
# as Suite says it where it leaves cases out
# shellcheck disable=SC2016 # expanded by the fake
choosy='[ "$BALLAST_TEST_CASES" != contract ] || echo "# 3 cases of what kernels do not differ in were left out"; echo 1..1; echo ok 1'
fake e2e/a "$choosy" contract
fake e2e/b "$choosy" contract
expect "cases left out are counted" 0 "2 passed, 0 failed" "^6 cases of what kernels"
fake e2e/a "$choosy; echo \"# asked \${BALLAST_TEST_CASES:-all}\"; exit 1" contract
expect "and none is, of what is named" 1 "1 passed, 1 failed" "# asked all" e2e/a
kernel=

fake unit/a 'echo 1..1; echo ok 1'
fake unit/b 'echo 1..1; echo not ok 1 - why'
expect "one test by name" 0 "1 passed, 0 failed" "unit/a" unit/a

fake unit/bad 'echo 1..2; echo ok 1; echo "not ok 2 - this one"; exit 1'
expect "a failure names itself" 1 "1 passed, 1 failed" "^FAILED unit/bad: not ok 2 - this one"

fake unit/says 'echo 1..2; echo "not ok 1 - that"; echo "# got 1"; echo "# /tree/tests/e2e/x.cpp:9: error: Failure!"; echo "# more"; echo ok 2; exit 1'
expect "and says why and where" 1 "1 passed, 1 failed" "^FAILED unit/says: not ok 1 - that; got 1; e2e/x.cpp:9$"
# shellcheck disable=SC2016 # expanded by the fake
fake unit/fails 'echo 1..2; for i in 1 2; do echo "# a note"; echo "# failed: got $i"; echo "# a log"; echo "not ok $i - that"; echo "# /tree/tests/e2e/x.cpp:9: error: Failure!"; done; exit 2'
expect "each its own" 1 "0 passed, 2 failed" "^FAILED unit/fails: not ok 2 - that; got 2; e2e/x.cpp:9$"

fake unit/mute 'echo hello'
expect "no TAP is a failure" 1 "0 passed, 1 failed" "FAILED unit/mute: printed no TAP result (status 0)"

fake unit/crash 'echo 1..2; echo ok 1; kill -SEGV $$'
expect "a crash is a failure" 1 "1 passed, 1 failed" "FAILED unit/crash: was killed by signal 11"

fake unit/short 'echo 1..2; echo ok 1'
expect "a broken plan is a failure" 1 "1 passed, 1 failed" "planned 2 results and gave 1"

fake unit/status 'echo 1..1; echo ok 1; exit 3'
expect "an unexplained status is a failure" 1 "1 passed, 1 failed" "ended with status 3"

fake unit/slow 'echo 1..2; echo ok 1; sleep 60'
echo 'ballast_timeout(unit/slow 1)' >>"$work/tests/CTestTestfile.cmake"
expect "too long is a failure, with a limit of its own" 1 "1 passed, 1 failed" "did not end within 3 s"

fake unit/gone 'echo 1..1; echo ok 1'
rm "$work/tests/tap"
expect "a test that cannot be started is a failure" 1 "0 passed, 1 failed" "^FAILED unit/gone: did not end by itself"
cp "$here/tap" "$work/tests"

# shellcheck disable=SC2016 # expanded by the fake
fake unit/killed 'echo 1..1; echo ok 1; kill -KILL $(ps -o ppid= -p $(ps -o ppid= -p $$))'
expect "one whose judge was killed is a failure" 1 "0 passed, 1 failed" "^FAILED unit/killed: did not end by itself"

expect "no test at all is a failure" 1 "0 passed, 1 failed" "FAILED ctest"

fake unit/skips 'echo 1..2; echo ok 1; echo "ok 2 # SKIP kernel lacks timers"'
expect "an earned skip" 0 "1 passed, 0 failed, 1 skipped" "1 skipped"

fake unit/skips 'echo 1..2; echo ok 1; echo "# kernel lacks timers"; echo "not ok 2 # SKIP name"'
expect "an earned skip as cmocka prints it" 0 "1 passed, 0 failed, 1 skipped" "1 skipped"

fake unit/a 'echo 1..1; echo ok 1'
fake unit/skips 'echo 1..1; echo "ok 1 # SKIP kernel lacks timers"'
expect "a test that skips everything" 0 "1 passed, 0 failed, 1 skipped" "Skipped"

fake unit/skips 'echo 1..2; echo ok 1; echo "ok 2 # SKIP kernel lacks hooks"'
expect "a skip that ballast check denies" 1 "1 passed, 1 failed" "does not say that the kernel lacks hooks"

fake unit/skips 'echo 1..3; echo "# kernel lacks timers"; echo ok 1; echo "ok 2 # SKIP not in the mood"; echo "not ok 3 # SKIP name"'
expect "a skip without that reason" 1 "1 passed, 2 failed" "without the reason"

fake unit/a 'exit 1'
expect "--list runs nothing" 0 "unit/a" "^unit/a$" --list

fake unit/a 'exit 1'
expect "an unknown name is refused" 2 "run-suites: there is no suite or test 'unit/b'. Suites: unit bpf api golden e2e refusal reboot; tests: run-suites --list." "no suite" unit/b
