# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# An arena for benchmarks and demos: a client's and a server's network namespace joined by a veth
# pair, or with a firewall's between them, and a ballastd of its own that governs only the client's
# cgroup. One at a time on a host.
# All of it goes when the script ends; what a script killed with SIGKILL left, the next one removes.
#
#   cgroup ballast-arena/{client,server,daemon}   everything that runs in the arena; services of a
#                                                 demo in client/NAME.service
#   /run/ballast-arena/{bpffs,runtime,state}      ballastd's
# shellcheck disable=SC2154 # repo, build and stage come from lib.sh

. "$repo/scripts/lib.sh"

arena=ballast-arena
arena_dir=/run/$arena
# RFC 2544: addresses for benchmarks, which no network carries
server_address=198.18.0.1
ungoverned_address=198.18.0.2
load=$build/tests/bench/ballast-load

arena_open() {
	arena_begin
	arena_network
	arena_tune
}

# With a firewall's namespace between the two, which lets everything through until arena_firewall.
arena_open_walled() {
	arena_begin
	arena_walled_network
	arena_tune
}

arena_begin() {
	need_tools ip nsenter setpriv jq ss
	[ -x "$load" ] || die "$load is not built. Build the tests too: cmake --build --preset release."
	exec 9>"$arena_dir.lock"
	flock -w 15 9 || die "another benchmark or demo is under way (it holds $arena_dir.lock). Wait for its end."
	arena_cgroup=$(cgroup2_root)/$arena
	arena_clear
	trap 'set +e; arena_clear' EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM HUP
	mkdir -p "$arena_dir"/{bpffs,runtime,state} "$arena_cgroup"/{client,server,daemon}
	mount -t bpf bpf "$arena_dir/bpffs" || die "cannot mount a bpffs. Does this kernel have BPF?"
}

arena_tune() {
	in_arena client sysctl -qw net.ipv4.ip_local_port_range="10000 65000"
	in_arena server sysctl -qw net.core.somaxconn=65535 net.ipv4.tcp_max_syn_backlog=65535
}

need_tools() {
	local tool
	for tool; do
		command -v "$tool" >/dev/null || die "the command $tool is not installed. Run scripts/setup."
	done
}

arena_network() {
	local last
	ip netns add "$arena-client"
	ip netns add "$arena-server"
	ip -n "$arena-client" link add arena0 type veth peer name arena0 netns "$arena-server"
	{
		# the first is what connects by default, the others are for what is held
		for last in {1..9}; do echo "address add 198.18.1.$last/16 dev arena0"; done
		printf 'link set %s up\n' lo arena0
	} | ip -n "$arena-client" -batch -
	{
		printf 'address add %s/16 dev arena0\n' "$server_address" "$ungoverned_address"
		printf 'link set %s up\n' lo arena0
	} | ip -n "$arena-server" -batch -
}

arena_walled_network() {
	local part
	for part in client wall server; do ip netns add "$arena-$part"; done
	ip -n "$arena-client" link add arena0 type veth peer name client netns "$arena-wall"
	ip -n "$arena-server" link add arena0 type veth peer name server netns "$arena-wall"
	printf '%s\n' "address add 198.18.1.254/24 dev client" "address add 198.18.0.254/24 dev server" \
		"link set lo up" "link set client up" "link set server up" | ip -n "$arena-wall" -batch -
	printf '%s\n' "address add 198.18.1.1/24 dev arena0" "link set lo up" "link set arena0 up" \
		"route add default via 198.18.1.254" | ip -n "$arena-client" -batch -
	printf '%s\n' "address add $server_address/24 dev arena0" "link set lo up" "link set arena0 up" \
		"route add default via 198.18.0.254" | ip -n "$arena-server" -batch -
	in_wall sysctl -qw net.ipv4.ip_forward=1
}

in_wall() { nsenter --net="/run/netns/$arena-wall" "$@"; }

# arena_firewall SECONDS: lets connections through that begin with a SYN, and forgets one that was
# silent for so long: what comes then is dropped and nobody told
arena_firewall() {
	in_wall nft -f - <<-END
		table inet firewall {
			chain forward {
				type filter hook forward priority 0; policy drop;
				ct state established accept
				tcp flags & (syn|ack) == syn ct state new accept
			}
		}
	END
	in_wall sysctl -qw net.netfilter.nf_conntrack_tcp_loose=0 \
		net.netfilter.nf_conntrack_tcp_timeout_established="$1"
}

# Everything in the cgroup dies first; unmounting drops the pins, and with them the programs.
arena_clear() {
	local part cgroup cgroups
	if [ -e "$arena_dir/bpf_stats" ]; then bpf_stats_off; fi
	if [ -d "$arena_cgroup" ]; then
		mapfile -t cgroups < <(find "$arena_cgroup" -depth -type d)
		echo 1 >"$arena_cgroup/cgroup.kill"
		for cgroup in "${cgroups[@]}"; do
			wait_until 100 rmdir "$cgroup" 2>/dev/null ||
				say "notice: something in the cgroup $cgroup does not die."
		done
	fi
	for part in client wall server; do
		[ ! -e "/run/netns/$arena-$part" ] || ip netns delete "$arena-$part"
	done
	if mountpoint -q "$arena_dir/bpffs"; then umount "$arena_dir/bpffs"; fi
	rm -rf "$arena_dir"
}

# enter PART COMMAND...: becomes the command, in that part's cgroup and, but for the daemon, its
# namespace. PART may name a cgroup below: client/NAME. (`ip netns exec` would hide the cgroup and
# the bpffs.)
enter() {
	local part=$1
	shift
	exec 9>&- # the lock is this script's, not that of what may outlive it
	echo 0 >"$arena_cgroup/$part/cgroup.procs"
	if [ "$part" = daemon ]; then exec ${daemon_netns:+nsenter --net="$daemon_netns"} "$@"; fi
	exec nsenter --net="/run/netns/$arena-${part%%/*}" "$@"
}

in_arena() { (enter "$@"); }

# arena_start NAME PART COMMAND...: in the background; waits for the first line of its output,
# which is $arena_dir/NAME.out. Sets started to its process id.
arena_start() {
	local name=$1 out=$arena_dir/$1.out
	shift
	: >"$out"
	(enter "$@") >"$out" 2>"$out.err" &
	started=$!
	wait_until 1200 said_or_ended "$out" "$started" || die "$name is not ready after 2 minutes."
	[ -s "$out" ] || die "$name ended: $(tail -n 3 "$out.err")"
}

said_or_ended() { [ -s "$1" ] || ! kill -0 "$2" 2>/dev/null; }

arena_stop() {
	kill "$1" 2>/dev/null || true
	wait "$1" 2>/dev/null || true
}

arena_ballast() {
	"$stage/bin/ballast" --runtime-dir "$arena_dir/runtime" --bpffs "$arena_dir/bpffs/ballast" "$@"
}

ballastd_answers_or_ended() {
	arena_ballast status >/dev/null 2>&1 || ! kill -0 "$daemon" 2>/dev/null
}

# arena_ballast_up POLICY-FILE: starts ballastd, in the network namespace daemon_netns if that is set;
# sets daemon to its process id
arena_ballast_up() {
	local log=$arena_dir/ballastd.log
	(enter daemon "$stage/bin/ballastd" --config "$1" --cgroup "$arena_cgroup/client" \
		--bpffs "$arena_dir/bpffs/ballast" --runtime-dir "$arena_dir/runtime" \
		--state-dir "$arena_dir/state") >"$log" 2>&1 &
	daemon=$!
	wait_until 300 ballastd_answers_or_ended || die "ballastd does not answer after 30 s: $(tail -n 3 "$log")"
	kill -0 "$daemon" 2>/dev/null || die "ballastd ended: $(tail -n 3 "$log")"
}

arena_ballast_down() {
	arena_ballast unload >/dev/null || die "ballast unload failed, see above."
	wait "$daemon" || say "notice: ballastd ended with status $?: $(tail -n 3 "$arena_dir/ballastd.log")"
	[ ! -e "$arena_dir/bpffs/ballast" ] || die "ballast unload left $(find "$arena_dir/bpffs/ballast" | wc -l) pins."
}

# The kernel's own account of what each program costs; off by default, as it costs a little itself.
bpf_stats_on() {
	sysctl -n kernel.bpf_stats_enabled >"$arena_dir/bpf_stats"
	sysctl -qw kernel.bpf_stats_enabled=1
}

bpf_stats_off() {
	sysctl -qw kernel.bpf_stats_enabled="$(cat "$arena_dir/bpf_stats")"
	rm "$arena_dir/bpf_stats"
}

# hook_programs DIR: ids of the programs whose links are pinned below DIR. An iterator's is left
# out: no connection runs it.
hook_programs() {
	find "$1" -type f -exec bpftool -j link show pinned {} ';' 2>/dev/null |
		jq -rs '[.[] | select(.prog_id? and .type != "iter") | .prog_id] | unique[]'
}

# program_totals ID...: "runs nanoseconds" of these programs together since they were loaded
program_totals() {
	local id
	for id; do bpftool -j prog show id "$id"; done |
		jq -rs '"\(map(.run_cnt // 0) | add) \(map(.run_time_ns // 0) | add)"'
}
