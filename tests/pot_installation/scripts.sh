#!/bin/sh
# The places where a script calls its helper by name: what it takes from stdout and from exit codes, and what
# its user sees of stderr.
#
#	scripts.sh create NAME public-bridge ADDRESS|auto
#	scripts.sh create NAME private-bridge ADDRESS|auto BRIDGE
#	scripts.sh create NAME alias ADDRESS
#	scripts.sh bridge NAME SIZE
#	scripts.sh hosts [BRIDGE]
#	scripts.sh show BRIDGE
#
# JAILS and BRIDGES are the folders of pots and bridges.

fail()
{
	echo "###> $1" >&2
	exit 1
}

family_of()
{
	potnet ipcheck -H "$1" || fail "$1 is no address"
	if potnet ip4check -H "$1"; then
		echo inet
	elif potnet ip6check --host "$1"; then
		echo inet6
	fi
}

# An address for a pot: of the bridge $2, or of the network that all share.
choose()
{
	if [ "$1" = auto ]; then
		potnet next ${2:+-b "$2"} || fail "no address is free"
	elif potnet -v validate --host "$1" ${2:+--bridge-name "$2"} >/dev/null; then
		echo "$1"
	else
		fail "$1 is not to be had"
	fi
}

create()
{
	potnet config-check || fail "the configuration is not valid"
	address="$3"
	[ "$2" = alias ] || address="$(choose "$3" "$4")" || exit 1
	family="$(family_of "$address")" || exit 1
	mkdir -p "$JAILS/$1/conf"
	{
		echo "network_type=$2"
		echo "ip=$address"
		[ -z "$4" ] || echo "bridge=$4"
	} >"$JAILS/$1/conf/pot.conf"
	echo "$1 has $family $address"
}

bridge()
{
	# The file is there before it is asked for, so that nobody else takes the name.
	: >"$BRIDGES/$1"
	if ! potnet new-net -s "$2" >"$BRIDGES/$1"; then
		rm "$BRIDGES/$1"
		fail "no network for $2 pots"
	fi
	echo "name=$1" >>"$BRIDGES/$1"
	sed -n 's/^net=//p' "$BRIDGES/$1"
}

hosts()
{
	printf '127.0.0.1\tlocalhost\n'
	potnet etc-hosts ${1:+-b "$1"} || fail "no neighbours"
}

command="$1"
shift
case "$command" in
create | bridge | hosts) "$command" "$@" ;;
show) potnet show -b "$1" ;;
*) fail "what is $command?" ;;
esac
