#!/bin/sh
# Both ends of a conversation, for hosts and jails that have no more than sh(1), nc(1) and pkill(1).
#
#	probe serve NAME PORT ...	answer callers by TCP and UDP, IPv4 and IPv6, with NAME, from now on
#	probe stop NAME			end the servers of that name
#	probe ask PROTOCOL ADDRESS PORT	print what the server there says, or why there is none
#	probe furnish ROOT		give a jail's root this file and the programs of /rescue
#
# Its own directory holds `rescue`, a copy of the one file that all of /rescue are names of, and the names and
# process ids of servers.

PATH=/bin:/sbin:/usr/bin:/usr/sbin
own=${0%/*}

# One connection after the other: the name is sent, and the end of it (-N). A caller that has gone silent is
# given up after 3 s (-w counts from the last byte once there is a caller, never while nc waits for one).
answer() {
	while :; do
		nc "$@" < "$own/$name.name" || sleep 1
	done
}

begin() {
	answer "$@" < /dev/null > /dev/null 2>&1 &
	echo $! >> "$own/$name.pids"
}

# nc -u stays with its first caller until a second has passed without a datagram; meanwhile the second one
# of each family answers (both have SO_REUSEPORT, and a connected socket is no match for other callers).
serve() {
	name=$1
	shift
	echo "name=$name" > "$own/$name.name"
	for port; do
		for family in -4 -6; do
			begin $family -N -w 3 -l "$port"
			begin $family -u -w 1 -l "$port"
			begin $family -u -w 1 -l "$port"
		done
	done
}

stop() {
	[ -e "$own/$1.pids" ] || return 0
	while read -r pid; do
		# So that no loop starts another nc while its own is being ended.
		kill -STOP "$pid" 2> /dev/null || continue
		pkill -P "$pid"
		kill -KILL "$pid"
	done < "$own/$1.pids"
	rm -f "$own/$1.pids" "$own/$1.name"
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
		*refused*) sleep 1 ;;
		tcp*) break ;;
		esac
	done
	echo "$said"
}

# Static programs with hard links: one inode for all programs of all roots.
furnish() {
	mkdir -p "$1/bin" "$1/sbin" "$1/tmp" "$1/var/empty" "$1/probe"
	for program in bin/sh bin/nc bin/sleep bin/pkill sbin/ping sbin/ping6 sbin/ifconfig sbin/route sbin/rtsol \
	    sbin/dhclient; do
		ln "$own/rescue" "$1/$program"
	done
	cp "$0" "$1/probe/probe"
}

"$@"
