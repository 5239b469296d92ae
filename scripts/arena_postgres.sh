# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# A PostgreSQL in the arena's server namespace, which lives as long as the arena.
# shellcheck disable=SC2154 # repo comes from what sources this
# shellcheck disable=SC2034 # what it sets is for what sources this

. "$repo/scripts/arena.sh"

database=$server_address:5432

# as_postgres PROGRAM ARG...: PostgreSQL refuses to be root. What it leaves of System V shared
# memory when it is killed goes with its IPC namespace.
as_postgres() {
	cd "$arena_dir/postgres" || exit
	enter server unshare --ipc setpriv --reuid=postgres --regid=postgres --clear-groups \
		--pdeathsig KILL "$postgres_bin/$1" -D "$arena_dir/postgres/data" "${@:2}"
}

# start_postgres CONNECTIONS: settings that keep it small and quick and its files here; the others
# are its defaults
start_postgres() {
	local log=$arena_dir/postgres.out
	need_tools psql unshare
	postgres_bin=$(printf '%s\n' /usr/lib/postgresql/*/bin | sort -V | tail -n 1)
	[ -x "$postgres_bin/initdb" ] || die "there is no PostgreSQL below /usr/lib/postgresql. Run scripts/setup."
	install -d -o postgres -g postgres "$arena_dir/postgres"
	(as_postgres initdb -U postgres -A trust -N --locale=C --wal-segsize=1) >"$log" 2>&1 ||
		die "initdb failed: $(tail -n 3 "$log")"
	cat >>"$arena_dir/postgres/data/postgresql.conf" <<-END
		listen_addresses = '$server_address'
		unix_socket_directories = ''
		max_connections = $1
		superuser_reserved_connections = 0
		dynamic_shared_memory_type = mmap
		shared_buffers = 16MB
		fsync = off
		autovacuum = off
	END
	echo "host all all 198.18.0.0/15 trust" >>"$arena_dir/postgres/data/pg_hba.conf"
	(as_postgres postgres) >>"$log" 2>&1 &
	wait_until 200 answers || die "PostgreSQL does not answer on $database: $(tail -n 3 "$log")"
}

# For psql and the like.
export PGHOST=$server_address PGUSER=postgres PGDATABASE=postgres PGCONNECT_TIMEOUT=10 PSQLRC=/dev/null
query() { in_arena server psql -qAt -c "$1"; }
answers() { query "select 1" >/dev/null 2>&1; }

# A session is a psql in the client's cgroup that lives on between queries, like an application's
# connection. Its queries come through a pipe, its answers and complaints go to a file.

# Sets session to its process id; it has answered once
session_open() {
	session_said=$arena_dir/session.out
	rm -f "$arena_dir/session"
	mkfifo "$arena_dir/session"
	: >"$session_said"
	exec {session_pipe}<>"$arena_dir/session"
	(enter client setpriv --pdeathsig KILL psql -qAt -f "$arena_dir/session") >>"$session_said" 2>&1 &
	session=$!
	session_send "select 'ready';"
	wait_until 100 grep -q ready "$session_said" || die "psql has no session: $(tail -n 1 "$session_said")"
	: >"$session_said"
}

# session_send SQL: and does not wait for the answer
session_send() { echo "$1" >&"$session_pipe"; }

session_is_done() { [ -s "$session_said" ] || ! kill -0 "$session" 2>/dev/null; }

# session_ask SQL SECONDS: waits for an answer or a complaint for at most so long. Sets asked_at (of
# the clock, in seconds), asked_for (how long it took, in seconds) and answer, which is empty when
# none came.
session_ask() {
	asked_at=$EPOCHREALTIME
	session_send "$1"
	# finer than wait_until, since this is measured
	while ! session_is_done && lasts_less "$asked_at" "$2"; do sleep 0.005; done
	asked_for=$(since "$asked_at")
	answer=$(sed -n '1s/^psql:[^ ]* //p; t; 1p' "$session_said")
}

session_close() {
	kill "$session" 2>/dev/null || true
	wait "$session" 2>/dev/null || true
	exec {session_pipe}>&-
}

# since TIME: seconds that have passed since that EPOCHREALTIME, in thousandths
since() {
	local us=$((${EPOCHREALTIME/[^0-9]/} - ${1/[^0-9]/}))
	printf '%d.%03d\n' $((us / 1000000)) $((us / 1000 % 1000))
}

# lasts_less TIME SECONDS: fewer have passed since that EPOCHREALTIME
lasts_less() { ((${EPOCHREALTIME/[^0-9]/} - ${1/[^0-9]/} < $2 * 1000000)); }
