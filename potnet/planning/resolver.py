"""The files that a start puts into a jail's etc: resolv.conf(5) and hosts(5).

The users in the jail control its root. Therefore potnet replaces the files while no process of the jail
runs, by rename and not through a link. It saves the former files and restores them at stop. The jail may
have changed anything meanwhile: RestoreFile and RemoveFile of the driver do not follow a link in place of
etc.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from ipaddress import ip_address

from potnet.errors import HostError
from potnet.host.actions import Step
from potnet.host.file_actions import MakeDirectory, MoveFile, RemoveFile, ReplaceFile, RestoreFile, WriteFile
from potnet.host.state import FileKind, HostState
from potnet.host.traits import Traits
from potnet.model.pots import NetworkType, Pot, ResolverKind, Run
from potnet.planning.jail import etc_of

#: The files, in the order in which they are installed.
NAMES = ("resolv.conf", "hosts")
#: The configuration of the DHCP client in a root (dhclient.conf(5)), for pots that use DHCP.
DHCLIENT_CONF = "dhclient.conf"

#: A comment may follow the address without a blank (res_init in libc).
_NAMESERVER = re.compile(r"^nameserver[ \t]+([^\s;#]+)", re.MULTILINE)


def saved_name(name: str) -> str:
    """Return the name under which the jail's own file is saved while potnet's is in its place."""
    return f"{name}.potnet-saved"


def looked_at(pot: Pot, etc: str | None) -> tuple[str, ...]:
    """Return the paths to observe before `install_files`, given the pot's etc."""
    if etc is None:
        return ()
    names = (*NAMES, *((DHCLIENT_CONF,) if pot.by_dhcp else ()))
    return (etc, *(f"{etc}/{n}" for n in names), *(f"{etc}/{saved_name(n)}" for n in names))


def install_files(pot: Pot, texts: Mapping[str, str], state: HostState) -> tuple[Step, ...]:
    """Return the steps that put `texts` (by file name) into the root; raises HostError for a link."""
    etc = etc_of(pot, state.traits)
    if etc is None:
        return ()
    kind = state.files[etc]
    if kind is FileKind.ABSENT:
        return ()
    if kind is not FileKind.DIRECTORY:
        raise HostError(
            f"etc in the root of {pot.name} is a {kind}, not a directory: nothing is written through it",
            hint=f"check {etc} on the host while the pot is stopped",
        )
    return tuple(step for name in texts for step in _install(pot, etc, name, texts[name], state))


def _install(pot: Pot, etc: str, name: str, text: str, state: HostState) -> tuple[Step, ...]:
    path, saved = f"{etc}/{name}", f"{etc}/{saved_name(name)}"
    for candidate in (path, saved):
        kind = state.files[candidate]
        if kind not in (FileKind.FILE, FileKind.ABSENT):
            raise HostError(
                f"{candidate.removeprefix(etc.removesuffix('etc'))} in the root of {pot.name} is a {kind}: "
                "potnet writes neither through it nor over it",
                hint=f"`potnet set -p {pot.name} -d off` leaves it alone"
                if name == "resolv.conf"
                else f"check what the jail has there: `ls -ld {etc} {candidate}`",
            )
    steps: list[Step] = []
    there = state.files[path] is FileKind.FILE
    if state.files[saved] is FileKind.FILE:
        # A forgotten start left this file when it was cut off; the older one is the jail's own.
        steps.append(Step(RestoreFile(etc, name, saved_name(name))))
        there = True
    if there:
        undo = RestoreFile(etc, name, saved_name(name))
        steps.append(Step(MoveFile(path, saved, in_root=True), undo, "the jail's own comes back at stop"))
    steps.append(Step(WriteFile(path, text, in_root=True), RemoveFile(etc, name, in_root=True)))
    return tuple(steps)


def replace_file(pot: Pot, name: str, text: str, directory: str, traits: Traits) -> tuple[Step, ...]:
    """Return the steps that replace a file of a running pot, if the pot still has the file.

    directory: on the host, out of the jail's reach; it need not exist yet. The file is made there and
    moved into place by rename, whatever the jail may be doing to its etc.
    """
    etc = etc_of(pot, traits)
    if etc is None:
        return ()
    if traits.etc is not None:
        # No jail can write there. The file is bound over the pot's own (ip-netns(8)); it must stay.
        return (Step(WriteFile(f"{etc}/{name}", text, in_root=True)),)
    fresh = f"{pot.name}.{name}.potnet-new"
    return (
        *(() if pot.root_made else (Step(MakeDirectory(directory)),)),
        Step(WriteFile(f"{directory}/{fresh}", text)),
        Step(ReplaceFile(etc, name, f"{directory}/{fresh}")),
        Step(RemoveFile(directory, fresh), None, "where it took nothing's place"),
    )


def will_be_saved(pot: Pot, name: str, state: HostState) -> bool:
    """Whether `install_files` saves an existing file of this name."""
    etc = etc_of(pot, state.traits)
    if etc is None:
        return False
    return FileKind.FILE in (state.files[f"{etc}/{name}"], state.files[f"{etc}/{saved_name(name)}"])


def give_back(run: Run, state: HostState) -> tuple[Step, ...]:
    """Return the steps that restore etc as it was before the start."""
    etc = etc_of(run.pot, state.traits)
    if etc is None:
        return ()
    steps = []
    for name in run.files:
        if name in run.saved:
            # If the file is not there, it has been restored already.
            if state.files[f"{etc}/{saved_name(name)}"] is not FileKind.ABSENT:
                steps.append(Step(RestoreFile(etc, name, saved_name(name))))
        elif state.files[f"{etc}/{name}"] is not FileKind.ABSENT:
            steps.append(Step(RemoveFile(etc, name, in_root=True)))
    return tuple(steps)


def loopback_only(text: str) -> bool:
    """Whether a resolv.conf names only resolvers that listen on the host's loopback."""
    return bool(_NAMESERVER.search(text)) and not nameservers(text)


def nameservers(text: str) -> tuple[str, ...]:
    """Return the resolvers of a resolv.conf, except those on the host's loopback."""
    return tuple(s for s in _NAMESERVER.findall(text) if s != "::1" and not s.startswith("127."))


def notices(pot: Pot, text: str | None) -> tuple[str, ...]:
    """Return notices about the resolver before a start. text: of its resolv.conf, if any."""
    if not pot.network_type.bridged or not pot.is_jail or pot.resolver.kind is ResolverKind.OFF:
        return ()
    types = {a.network_type for a in pot.attachments}
    if pot.resolver.kind is ResolverKind.POT and not types & {NetworkType.PUBLIC_BRIDGE}:
        return (
            f"the resolver of {pot.name} is a pot on the public bridge, from which its own bridge keeps "
            "it apart: use `potnet set -d custom:FILE`",
        )
    inherits = pot.resolver.kind is ResolverKind.INHERIT
    if inherits and text is not None and loopback_only(text):
        return (
            f"{pot.name} inherits a resolver that listens on the host's loopback only, which no pot on "
            "a bridge can reach: use `potnet set -d custom:FILE` or `-d pot`",
        )
    help_ = "use `potnet set -d custom:FILE`" + (" or `-d pot`" if inherits else "")
    if text is None:
        return (f"{pot.name} gets no resolv.conf: that of the host cannot be read; {help_}",)
    why = _unusable(pot, text)
    return (f"{pot.name} resolves no names: {why}; {help_}",) if why else ()


def _unusable(pot: Pot, text: str) -> str | None:
    """Return the reason why a pot on bridges cannot use a resolv.conf; None if it can reach a resolver."""
    source = {ResolverKind.INHERIT: "/etc/resolv.conf of the host", ResolverKind.POT: "potnet's resolv.conf"}
    file = source.get(pot.resolver.kind, "its resolv.conf")
    named = _NAMESERVER.findall(text)
    if not named:
        return f"{file} names no nameserver"
    families = frozenset(family for a in pot.attachments for family in a.families)
    own = pot.resolver.kind is ResolverKind.CUSTOM
    if any(_is_usable(server, families, own) for server in named):
        return None
    return f"{file} names only {', '.join(named)}, which the pot cannot reach"


def _is_usable(server: str, families: Collection[int], own: bool) -> bool:
    """Whether a pot with these families can reach a resolver. own: a loopback resolver is the pot's."""
    try:
        address = ip_address(server.partition("%")[0])
    except ValueError:
        return False
    if address.is_loopback:
        return own
    # 0.0.0.0/8 and 240.0.0.0/4 belong to no host (RFC 6890).
    nobody = address.version == 4 and not 0 < address.packed[0] < 240
    nobody = nobody or address.is_unspecified or address.is_link_local or address.is_multicast
    return address.version in families and not nobody
