"""The initial state of a new simulated host."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from potnet.executors.simulated.net.interfaces import MEMBER_ADDRESSES, plug
from potnet.executors.simulated.world.entities import Address, HostFacts
from potnet.executors.simulated.world.world import World

#: The lines that `potnet init` requires in a main ruleset.
PREPARED_RULES = """\
nat-anchor "pot-nat"
nat-anchor "pot-rdr/*"
rdr-anchor "pot-rdr/*"
anchor "pot-filter/*"
pass
"""

#: The variables of each network stack, with the values of a new jail's.
VNET_SYSCTLS = {
    "net.inet.ip.forwarding": "0",
    "net.inet6.ip6.forwarding": "0",
    "net.inet6.ip6.accept_rtadv": "0",
    "net.inet6.ip6.rfc6204w3": "0",
    "net.inet6.ip6.no_radr": "0",
    "net.inet6.ip6.dad_count": "1",
    "net.link.bridge.pfil_member": "0",
    "net.link.bridge.pfil_bridge": "0",
    "net.link.bridge.pfil_local_phys": "0",
    "net.link.bridge.pfil_onlyip": "1",
    "net.inet.ip.portrange.reservedhigh": "1023",
    "net.inet.ip.portrange.first": "10000",
    "net.inet.ip.portrange.last": "65535",
    "net.inet.ip.portrange.hifirst": "49152",
    "net.pf.filter_local": "0",
}

#: The variables of /etc/defaults/rc.conf, which sysrc(8) knows.
RC_DEFAULTS = {
    "pf_enable": "NO",
    "pf_rules": "/etc/pf.conf",
    "pf_flags": "",
    "gateway_enable": "NO",
    "ipv6_gateway_enable": "NO",
    "hostname": "",
    "defaultrouter": "NO",
    "ipv6_defaultrouter": "NO",
    "cloned_interfaces": "",
    "kld_list": "",
    "jail_enable": "NO",
    "jail_list": "",
}

DIRECTORIES = (
    "bin",
    "boot",
    "dev",
    "etc/defaults",
    "root",
    "sbin",
    "tmp",
    "usr/bin",
    "var/log",
    "usr/local/etc",
    "var/db",
    "var/run",
)


def seed_state(world: World, bare: bool) -> None:
    """Create interfaces, routes, sysctls and pf of a machine that has just booted."""
    facts = world.facts
    world.state.put("facts", "", asdict(facts))
    outer = plug(world, facts.interface, facts.mac)
    address, prefix = facts.address.split("/")
    outer.inet = [Address(address, int(prefix))]
    world.save(outer)
    for name in (facts.spare or "").split():
        plug(world, name, facts.spare_mac or world.made_mac(name))
    make_loopback(world, "", configured=True)
    world.state.put(
        "route",
        "/4/default",
        {"destination": "default", "gateway": facts.gateway, "interface": facts.interface},
    )
    for name, value in VNET_SYSCTLS.items():
        world.set_sysctl(name, value)
        world.state.put("sysctl-default", name, {"value": value})
    for name, value in {
        "kern.osreldate": str(facts.osreldate),
        "kern.osrelease": facts.release,
        "kern.hostname": facts.hostname,
        "kern.features.vimage": "1",
        "net.link.tap.user_open": "0",
        "vfs.devfs.rule_depth": "1",
        "kern.securelevel": "-1",
        "kern.chroot_allow_open_directories": "1",
        "kern.racct.enable": "1" if facts.racct else "0",
        "security.jail.jailed": "0",
    }.items():
        world.set_sysctl(name, value)
    world.state.put("sysctl-default", "security.jail.jailed", {"value": "1"})
    if world.release.member_addresses is not None:
        world.set_sysctl(MEMBER_ADDRESSES, world.release.member_addresses)
    if not bare:
        world.set_sysctl("net.inet.ip.forwarding", "1")
    _seed_pf(world, bare)


def _seed_pf(world: World, bare: bool) -> None:
    from potnet.executors.simulated.pf.load import Source, load

    world.state.put(
        "pf", "status", {"enabled": not bare, "since": world.now(), "filter_local": False, "skip": []}
    )
    if not bare:
        load(world, "", Source(PREPARED_RULES))


def make_loopback(world: World, vnet: str, configured: bool) -> None:
    """Create lo0 of a stack. In a new jail it has no address until it is brought up."""
    loopback = world.attach("lo0", vnet, "loop")
    loopback.mtu = 16384
    loopback.nd6 = ["PERFORMNUD", "AUTO_LINKLOCAL"]
    world.set_groups(loopback, ["lo"])
    if configured:
        loopback.up = True
        loopback.inet = [Address("127.0.0.1", 8)]
        loopback.inet6 = [Address("::1", 128), Address("fe80::1", 64)]
    world.save(loopback)


def make_pflog(world: World, vnet: str) -> None:
    """Create pflog0, as pflog(4) does in each stack; it has no flags until it is brought up."""
    made = world.attach("pflog0", vnet, "pflog")
    made.mtu = 33152
    world.set_groups(made, ["pflog"])
    world.save(made)


def seed_tree(base: Path, facts: HostFacts, bare: bool) -> None:
    """Create the files of the host, prepared as by `potnet init` unless bare."""
    for directory in DIRECTORIES:
        (base / directory).mkdir(parents=True, exist_ok=True)
    # The umask of this machine must not affect the host.
    for place in (base, *base.rglob("*")):
        place.chmod(0o755)
    (base / "tmp").chmod(0o1777)
    rc = [f'hostname="{facts.hostname}"']
    if not bare:
        rc.append('pf_enable="YES"')
    rc += [f'ifconfig_{facts.interface}="inet {facts.address}"', f'defaultrouter="{facts.gateway}"']
    if not bare:
        rc.append('gateway_enable="YES"')
    files = {
        "etc/rc.conf": "\n".join(rc) + "\n",
        "etc/resolv.conf": f"nameserver {facts.resolver}\n",
        "etc/hosts": "::1\t\t\tlocalhost localhost.my.domain\n127.0.0.1\t\tlocalhost localhost.my.domain\n",
    }
    if not bare:
        files["etc/pf.conf"] = PREPARED_RULES
    for name, text in files.items():
        (base / name).write_text(text)
        (base / name).chmod(0o644)
