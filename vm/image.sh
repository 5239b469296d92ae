# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# Builds the initramfs of vm/run from three cpio archives that the kernel unpacks one over the
# other: the host's tools, one kernel's modules (both cached), and the staged tests.
# shellcheck disable=SC2154 # vm_dir, cache_dir and work come from what sources this

layers=$cache_dir/layers

# Debian's /bin, /lib and so on are symlinks, and a directory entry in a later archive would
# replace them.
guest_path() {
	case $1 in
	/bin/* | /sbin/* | /lib/* | /lib32/* | /lib64/*) echo "/usr$1" ;;
	*) echo "$1" ;;
	esac
}

# put ROOT FILE: copies a host file to the same place under ROOT, replacing busybox's symlink
put() {
	local to
	to=$1$(guest_path "$2")
	mkdir -p "${to%/*}"
	cp -L --remove-destination "$2" "$to"
}

# pack ROOT FILE: archives the tree; the owner is always root
pack() {
	(cd "$1" && find . -mindepth 1 -print0 | cpio -o -0 -H newc -R 0:0 --quiet) >"$2.new" ||
		die "cpio could not write $2.new from $1. Is the disk full?"
	mv "$2.new" "$2"
}

# shared_libs FILE...: every library the ELF files need, the dynamic loader included
shared_libs() {
	local list=$work/ldd
	# its status only tells that some file is static
	ldd "$@" >"$list" 2>"$list.err" || true
	if grep -q '=> not found' "$list"; then
		awk '/^[^\t].*:$/ { f = $0 } /=> not found/ { print "  " f $0 }' "$list" >&2
		die "ldd does not find these libraries. Install their packages or correct the run path."
	fi
	if grep -v 'not a dynamic executable' "$list.err" >&2; then
		die "ldd failed on: $*. Its reason is above."
	fi
	awk '$2 == "=>" && $3 ~ /^\// { print $3 } $1 ~ /^\// && $2 ~ /^\(/ { print $1 }' "$list" | sort -u
}

# fresh LAYER INPUT: whether the cached layer was built from the files in its list as they are
# now, and from INPUT (a text)
fresh() {
	[ -s "$layers/$1.cpio" ] && [ -s "$layers/$1.key" ] &&
		[ "$(layer_key "$1" "$2")" = "$(cat "$layers/$1.key")" ]
}

layer_key() {
	{
		echo "$2"
		cat "$vm_dir/image.sh"
		# a file that is gone changes the sum, which is all that matters
		xargs -r -d '\n' stat -L -c '%n %s %Y' <"$layers/$1.from" 2>&1 || true
	} | sha256sum
}

tools_layer() {
	local input
	input=$(cat "$vm_dir/tools")
	if ! fresh tools "$input"; then
		build_tools
		layer_key tools "$input" >"$layers/tools.key"
	fi
}

build_tools() {
	local root=$work/tools tool pkg path files=() applet missing=no
	say "packing the tools of this host (once, until they change)"
	need busybox busybox-static
	mkdir -p "$root"/usr/{bin,sbin,lib,lib64} "$root"/{dev,proc,sys,tmp,run,root,stage,etc,var/log/nginx}
	ln -s usr/bin usr/sbin usr/lib usr/lib64 "$root"
	chmod 1777 "$root/tmp"

	path=$(readlink -f "$(command -v busybox)")
	if ldd "$path" >/dev/null 2>&1; then
		die "$path is not static, so the virtual machine could not start with it. Install busybox-static."
	fi
	files+=("$path")
	cp "$path" "$root/usr/bin/busybox"
	for applet in $(busybox --list-full); do
		applet=$(guest_path "/${applet#/}")
		[ -e "$root$applet" ] || ln -s /usr/bin/busybox "$root$applet"
	done

	while read -r tool pkg; do
		if ! path=$(command -v "$tool"); then
			say "the tool '$tool', listed in $vm_dir/tools, is not installed. Install the Debian package '$pkg'."
			missing=yes
			continue
		fi
		files+=("$path")
		# busybox may have the applet in another directory that comes first in PATH
		rm -f "$root"/usr/{bin,sbin}/"$tool"
		put "$root" "$path"
	done < <(table "$vm_dir/tools")
	[ "$missing" = no ] || die "the virtual machine needs the tools above."
	ln -sf dash "$root/usr/bin/sh"

	# glibc opens these itself, so ldd does not show them
	mapfile -t -O ${#files[@]} files < <(ls /lib/x86_64-linux-gnu/{libgcc_s.so.1,libnss_files.so.2} 2>/dev/null)
	mapfile -t -O ${#files[@]} files < <(shared_libs "${files[@]}")
	for path in "${files[@]}"; do
		[ -e "$root$(guest_path "$path")" ] || put "$root" "$path"
	done
	put_configuration "$root"
	(cd "$root" && find . -path './usr/*' -type f | sed 's/^\.//' | sort) >"$layers/tools.holds"
	printf '%s\n' "${files[@]}" >"$layers/tools.from"
	pack "$root" "$layers/tools.cpio"
}

put_configuration() {
	local root=$1 file
	for file in /etc/protocols /etc/services; do
		if [ -r "$file" ]; then put "$root" "$file"; fi
	done
	for file in /etc/iproute2 /usr/share/iproute2 /usr/lib/tc /etc/nginx; do
		[ -d "$file" ] || continue
		mkdir -p "$root$file"
		cp -rL "$file/." "$root$file"
	done
	# sites and modules of this host are not the tests' business
	rm -rf "$root"/etc/nginx/{sites,modules,conf}*
	mkdir -p "$root"/etc/nginx/{sites-enabled,modules-enabled,conf.d} "$root"/var/lib/nginx
	cat >"$root/etc/passwd" <<-END
		root:x:0:0:root:/root:/bin/sh
		www-data:x:33:33:www-data:/var/www:/usr/sbin/nologin
		nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin
	END
	cat >"$root/etc/group" <<-END
		root:x:0:
		tty:x:5:
		www-data:x:33:
		ballast:x:900:
		nogroup:x:65534:
	END
	echo '127.0.0.1 localhost ballast-vm' >"$root/etc/hosts"
	printf '%s: files\n' passwd group hosts protocols services >"$root/etc/nsswitch.conf"
}

# modules_layer KERNEL
modules_layer() {
	local release input
	release=$(cat "$cache_dir/kernels/$1/release")
	input=$release$(cat "$vm_dir/modules")
	if ! fresh "modules-$1" "$input"; then
		build_modules "$1" "$release"
		layer_key "modules-$1" "$input" >"$layers/modules-$1.key"
	fi
	if [ -s "$layers/modules-$1.absent" ]; then
		say "notice: kernel $1 ($release) has none of these modules: $(tr '\n' ' ' <"$layers/modules-$1.absent")"
	fi
}

build_modules() {
	local kernel=$1 release=$2 tree=$cache_dir/kernels/$1/modules root=$work/modules file name
	local -A module_file=() built_in=() seen=()
	local order=() absent=()
	say "packing the modules of kernel $kernel (once, until the list changes)"
	while read -r file; do
		name=${file##*/}
		name=${name%%.ko*}
		module_file[${name//-/_}]=$file
	done < <(find "$tree/kernel" -name '*.ko*')
	while read -r file; do
		name=${file##*/}
		name=${name%.ko}
		built_in[${name//-/_}]=1
	done <"$tree/modules.builtin"

	mkdir -p "$root/usr/lib/modules/$release" "$root/usr/lib/ballast-vm"
	for name in $(table "$vm_dir/modules"); do add_module "$name"; done
	printf '%s\n' "${order[@]}" >"$root/usr/lib/ballast-vm/modules"
	printf '%s\n' "${absent[@]}" | sed '/^$/d' >"$layers/modules-$kernel.absent"
	printf '%s\n' "$tree/modules.builtin" >"$layers/modules-$kernel.from"
	pack "$root" "$layers/modules-$kernel.cpio"
}

# add_module NAME: unpacks it after what it depends on; the arrays are build_modules's
add_module() {
	local name=${1//-/_} to dep deps
	[ -z "${seen[$name]:-}" ] || return 0
	seen[$name]=1
	if [ -z "${module_file[$name]:-}" ]; then
		[ -n "${built_in[$name]:-}" ] || absent+=("$name")
		return 0
	fi
	to=/usr/lib/modules/$release/$name.ko
	case ${module_file[$name]} in
	*.ko) cp "${module_file[$name]}" "$root$to" ;;
	*.xz) xz -dc "${module_file[$name]}" >"$root$to" ;;
	*.zst) zstd -dcq "${module_file[$name]}" >"$root$to" ;;
	*.gz) gzip -dc "${module_file[$name]}" >"$root$to" ;;
	*) die "do not know how ${module_file[$name]} is compressed. Teach add_module in $vm_dir/image.sh." ;;
	esac || die "could not unpack ${module_file[$name]}. Run vm/fetch --refresh $kernel."
	# Debian's packages carry no modules.dep, but each module names what it needs
	deps=$(tr '\0' '\n' <"$root$to" | sed -n 's/^depends=//p' | tr ',' ' ')
	for dep in $deps; do add_module "$dep"; done
	order+=("$to")
}

# stage_layer STAGE FILE COMMAND [ARG...]: the tests, libraries only they need, and the command
stage_layer() {
	local stage=$1 to=$2 root=$work/stage elf lib
	shift 2
	mkdir -p "$root/usr/lib/ballast-vm"
	cp "$vm_dir/init" "$root/init"
	chmod 755 "$root/init"
	{
		echo "export BALLAST_VM=$(quote "$kernel") BALLAST_VM_ACCEL=$(quote "$accel")"
		printf 'exec'
		for word; do printf ' %s' "$(quote "$word")"; done
		echo
	} >"$root/usr/lib/ballast-vm/command"

	mapfile -d '' -t elf < <(find -L "$stage" -type f -print0 | LC_ALL=C xargs -0 -r grep -lZaP -m 1 '^\x7fELF')
	if [ ${#elf[@]} -gt 0 ]; then
		shared_libs "${elf[@]}" >"$work/libs"
		while read -r lib; do
			case $lib in "$stage"/*) continue ;; esac
			grep -qxF "$(guest_path "$lib")" "$layers/tools.holds" || put "$root" "$lib"
		done <"$work/libs"
	fi
	# cpio names files as find does, so the tree must seem to be at ./stage
	ln -s "$stage" "$root/stage"
	(cd "$root" && find -L . -mindepth 1 -print0 | cpio -o -L -0 -H newc -R 0:0 --quiet) >"$to" ||
		die "cpio could not pack the stage $stage into $to. Is there a dangling symlink, or the disk full?"
}

# quote WORD: for a POSIX shell
quote() { printf "'%s'" "${1//\'/\'\\\'\'}"; }
