#!/bin/sh
# Both ends of a conversation, for hosts and jails that have no more than sh(1), nc(1), dd(1) and pgrep(1).
#
#	probe serve NAME PORT ...	answer callers by TCP and UDP, IPv4 and IPv6, with NAME, from now on
#	probe bulk NAME PORT KBYTES	send that much to each caller by TCP from now on
#	probe stop NAME			end the servers of that name
#	probe ask PROTOCOL ADDRESS PORT	print what the server there says, or why there is none
#	probe fetch ADDRESS PORT	receive all that the server there sends; dd(1) says how much in how long
#	probe furnish ROOT		give a jail's root this file and the programs of /rescue
#
# Its own directory holds `rescue`, a copy of the one file that all of /rescue are names of, and what servers
# send. The programs are those of FreeBSD 14 and 15 (contrib/netcat, bin/pkill, bin/dd, rescue/rescue/Makefile).

PATH=/bin:/sbin:/usr/bin:/usr/sbin
own=${0%/*}

# One connection after the other: a file is sent, and the end of it (-N). A caller that has gone silent is
# given up after 3 s (-w counts from the last byte once there is a caller, never while nc waits for one).
answer() {
	file=$1
	shift
	while :; do
		nc "$@" < "$file" || sleep 1
	done
}

begin() {
	answer "$@" < /dev/null > /dev/null 2>&1 &
}

# nc -u stays with its first caller until a second has passed without a datagram; meanwhile the second one
# of each family answers (both have SO_REUSEPORT, and a connected socket is no match for other callers).
serve() {
	name=$own/$1.name
	echo "name=$1" > "$name"
	shift
	for port; do
		for family in -4 -6; do
			begin "$name" $family -N -w 3 -l "$port"
			begin "$name" $family -u -w 1 -l "$port"
			begin "$name" $family -u -w 1 -l "$port"
		done
	done
}

bulk() {
	dd if=/dev/zero of="$own/$1.bulk" bs=1024 count="$3" 2> /dev/null
	for family in -4 -6; do
		begin "$own/$1.bulk" $family -N -w 3 -l "$2"
	done
}

# The loops are known by their command line, as process ids are given to others after a restart.
stop() {
	for pid in $(pgrep -f "$own/probe (serve|bulk) $1 "); do
		# So that no loop starts another nc while its own is being ended.
		kill -STOP "$pid" 2> /dev/null || continue
		pkill -P "$pid"
		kill -KILL "$pid"
	done
	rm -f "$own/$1.name" "$own/$1.bulk"
}

# A server may be between two callers: who is refused, or not answered by UDP, tries three times.
ask() {
	for try in 1 2 3; do
		if [ "$1" = udp ]; then
			said=$(echo '?' | nc -n -u -w 1 "$2" "$3" 2>&1)
		else
			said=$(echo '?' | nc -n -N -v -w 3 "$2" "$3" 2>&1)
		fi
		case "$1 $said" in
		*name=*) break ;;
		*refused* | udp*) sleep 1 ;;
		*) break ;;
		esac
	done
	echo "$said"
}

fetch() {
	nc -n -w 9 "$1" "$2" < /dev/null | dd of=/dev/null bs=1024 2>&1
}

# Static programs with hard links: one inode for all programs of all roots, unless these have a file system of
# their own. /dev makes potnet mount devfs, whose null and zero the probe requires.
furnish() {
	mkdir -p "$1/bin" "$1/dev" "$1/sbin" "$1/tmp" "$1/var/empty" "$1/probe"
	ln "$own/rescue" "$1/bin/sh" 2> /dev/null || cp "$own/rescue" "$1/bin/sh"
	for program in bin/nc bin/sleep bin/dd sbin/ping sbin/ping6 sbin/ifconfig sbin/route sbin/rtsol \
	    sbin/dhclient; do
		ln "$1/bin/sh" "$1/$program"
	done
	cp "$0" "$1/probe/probe"
}

"$@"
