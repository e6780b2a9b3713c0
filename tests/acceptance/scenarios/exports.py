"""Exports on all five paths: from outside, a sibling, the pot itself, the host, and by loopback."""

from __future__ import annotations

from ..host import HOST, OUTSIDE, PORT
from ..registry import scenario
from ..user import User

#: Ports of the host that exports of the suite take.
EXPORTED = 37580
LOOPBACK = "127.0.0.1"
PROTOCOLS = ("tcp", "udp")


def pair(user: User, *options: str, ports: tuple[int, ...] = (PORT,)) -> tuple[str, str]:
    """Two pots of one public bridge that do not run yet; the first one is to export."""
    return user.pot("web", *options, ports=ports), user.pot("mail", *options)


def callers(user: User, *pots: str) -> list[str]:
    """All that an export is for: pots, and machines outside if there is one."""
    return [*pots, *([] if user.host.lacks("outside") else [OUTSIDE])]


@scenario(sample="sim14 linux")
def by_tcp_and_udp(user: User) -> None:
    web, mail = pair(user, "-N", "public-bridge")
    user.potnet("export-ports", "-p", web, "-e", f"tcp+udp:{PORT}:{EXPORTED}")
    user.start(web, mail)
    there = user.host.addresses[4]
    for protocol in PROTOCOLS:
        for source in callers(user, web, mail):
            user.connects(source, there, web, EXPORTED, protocol)
        for address in (there, LOOPBACK):
            user.fails(HOST, address, EXPORTED, protocol)
    user.agrees()
    user.potnet("export-ports", "-p", web, "--clear")
    for source in callers(user, web, mail):
        user.fails(source, there, EXPORTED)
    user.fails(mail, there, EXPORTED, "udp")


@scenario("loopback")
def by_loopback(user: User) -> None:
    web, mail = pair(user, "-N", "public-bridge")
    user.potnet("export-ports", "-p", web, "-e", f"tcp+udp:{PORT}:{EXPORTED}", "--loopback")
    user.start(web, mail)
    for protocol in PROTOCOLS:
        for address in (user.host.addresses[4], LOOPBACK):
            user.connects(HOST, address, web, EXPORTED, protocol)
        for source in callers(user, web, mail):
            user.connects(source, user.host.addresses[4], web, EXPORTED, protocol)
    user.agrees()
    user.potnet("stop", web)
    for address in (user.host.addresses[4], LOOPBACK):
        user.fails(HOST, address, EXPORTED)


@scenario("ipv6")
def by_ipv6(user: User) -> None:
    """The addresses of a private bridge's IPv6 network are exported like those of IPv4."""
    bridge = user.bridge("stove", "-6", "auto")
    web, mail = pair(user, "-N", "private-bridge", "-B", bridge, "-S", "dual")
    user.potnet("export-ports", "-p", web, "-e", f"tcp+udp:{PORT}:{EXPORTED}")
    user.start(web, mail)
    outside = [] if user.host.lacks("outside") or user.host.lacks("outside ipv6") else [OUTSIDE]
    for protocol in PROTOCOLS:
        for source in (web, mail, *outside):
            user.connects(source, user.host.addresses[6], web, EXPORTED, protocol)
    user.agrees()
    user.potnet("stop", web)
    user.fails(mail, user.host.addresses[6], EXPORTED)


@scenario()
def of_a_range(user: User) -> None:
    web, mail = pair(user, "-N", "public-bridge", ports=(PORT, PORT + 1, PORT + 2))
    user.potnet("export-ports", "-p", web, "-e", f"{PORT}-{PORT + 2}:{EXPORTED}-{EXPORTED + 2}")
    user.start(web, mail)
    for source in callers(user, web, mail):
        for number in range(3):
            user.connects(source, user.host.addresses[4], web, EXPORTED + number)
        user.fails(source, user.host.addresses[4], EXPORTED + 3)
    user.agrees()


@scenario("loopback")
def of_a_range_by_loopback(user: User) -> None:
    web, mail = pair(user, "-N", "public-bridge", ports=(PORT, PORT + 1, PORT + 2))
    ports = f"tcp+udp:{PORT}-{PORT + 2}:{EXPORTED}-{EXPORTED + 2}"
    user.potnet("export-ports", "-p", web, "-e", ports, "--loopback")
    user.start(web, mail)
    there = user.host.addresses[4]
    for protocol, number in (("tcp", 0), ("udp", 2)):
        user.connects(HOST, LOOPBACK, web, EXPORTED + number, protocol)
        for source in (HOST, *callers(user, web, mail)):
            user.connects(source, there, web, EXPORTED + number, protocol)
    user.fails(HOST, LOOPBACK, EXPORTED + 3)
    user.agrees()


@scenario("loopback")
def with_a_limit_by_loopback(user: User) -> None:
    """Limits bind pots and machines outside, and not the host itself."""
    web, mail = pair(user, "-N", "public-bridge", ports=(PORT, PORT + 1))
    ports = f"{PORT}-{PORT + 1}:{EXPORTED}-{EXPORTED + 1}"
    user.potnet("export-ports", "-p", web, "-e", ports, "--loopback", "--max-connections", "1")
    user.start(web, mail)
    user.host.hold(HOST, LOOPBACK, EXPORTED)
    user.connects(HOST, LOOPBACK, web, EXPORTED + 1)
    user.host.hold(mail, user.host.addresses[4], EXPORTED)
    user.fails(mail, user.host.addresses[4], EXPORTED + 1)
    user.agrees()


@scenario()
def on_a_port_that_potnet_chooses(user: User) -> None:
    web, mail = pair(user, "-N", "public-bridge")
    user.potnet("export-ports", "-p", web, "-e", str(PORT))
    user.start(web, mail)
    port = user.facts("info", "-p", web)["exports"][0]["host_port"]
    for source in callers(user, web, mail):
        user.connects(source, user.host.addresses[4], web, port)
    user.potnet("stop", web)
    user.start(web)
    assert user.facts("info", "-p", web)["exports"][0]["host_port"] == port


@scenario()
def for_some_sources(user: User) -> None:
    web, mail = pair(user, "-N", "public-bridge")
    there, near = user.host.addresses[4], f"{user.address(mail)}/32"
    user.potnet("export-ports", "-p", web, "-e", f"{PORT}:{EXPORTED}", "--from", near)
    if not user.host.lacks("outside"):
        far = f"{user.host.machine(4)}/32"
        user.potnet("export-ports", "-p", web, "--add", "-e", f"{PORT}:{EXPORTED + 1}", "--from", far)
    user.start(web, mail)
    user.connects(mail, there, web, EXPORTED)
    user.fails(web, there, EXPORTED)
    if not user.host.lacks("outside"):
        user.fails(OUTSIDE, there, EXPORTED)
        user.connects(OUTSIDE, there, web, EXPORTED + 1)
        user.fails(mail, there, EXPORTED + 1)
    user.agrees()


@scenario()
def with_a_limit_of_connections(user: User) -> None:
    ports = (PORT, PORT + 1, PORT + 2)
    web, mail = pair(user, "-N", "public-bridge", ports=ports)
    there, ports_there = user.host.addresses[4], f"{PORT}-{PORT + 2}:{EXPORTED}-{EXPORTED + 2}"
    user.potnet("export-ports", "-p", web, "-e", ports_there, "--max-connections", "2")
    user.start(web, mail)
    for number in range(2):
        user.host.hold(mail, there, EXPORTED + number)
    user.fails(mail, there, EXPORTED + 2)
    user.agrees()
    if not user.host.lacks("outside"):
        # Each source has a number of its own.
        user.connects(OUTSIDE, there, web, EXPORTED + 2)
