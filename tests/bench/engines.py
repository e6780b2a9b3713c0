"""Other engines that give containers a network, executed as their callers do: CNI's plugins and netavark."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from measure import answered, process

CNI_PATHS = ("/usr/lib/cni", "/opt/cni/bin", "/usr/libexec/cni")
NETAVARK_PATHS = ("/usr/lib/podman", "/usr/libexec/podman", "/usr/bin")
PLUGINS = ("bridge", "host-local", "portmap")
#: Where host-local keeps its leases.
DATA = "/run/cni-leases"


class Engine(Protocol):
    """Gives a namespace a network, and takes it away."""

    @property
    def name(self) -> str: ...

    @property
    def how(self) -> str:
        """What is executed, in words."""
        ...

    def add(self, pot: int) -> float:
        """Milliseconds; the namespace is made before."""
        ...

    def remove(self, pot: int) -> None: ...


def found() -> tuple[list[Engine], list[str]]:
    """Those that work here, and why others do not."""
    engines: list[Engine] = []
    missing = []
    for name, make in (("CNI", _cni), ("netavark", _netavark)):
        engine = make()
        # Both redirect ports by iptables.
        lacks = name if engine is None else "" if shutil.which("iptables") else "iptables"
        if engine is None or lacks:
            missing.append(f"{name}: {lacks} is not installed.")
            continue
        try:
            engine.add(0)
            engine.remove(0)
            engines.append(engine)
        except SystemExit as error:
            missing.append(f"{name} does not work here: {error}")
    return engines, missing


def _cni() -> Cni | None:
    for path in CNI_PATHS:
        if all(os.access(f"{path}/{plugin}", os.X_OK) for plugin in PLUGINS):
            return Cni(path)
    return None


def _netavark() -> Netavark | None:
    program = shutil.which("netavark", path=os.pathsep.join((*NETAVARK_PATHS, os.environ["PATH"])))
    return Netavark(program) if program else None


def _namespace(name: str) -> str:
    subprocess.run(("ip", "netns", "add", name), check=True)
    return f"/run/netns/{name}"


@dataclass(frozen=True)
class Cni:
    """The plugins bridge (with host-local) and portmap, as libcni calls them: CNI_* and a network in JSON."""

    path: str
    name: str = "CNI"
    how: str = "CNI's plugins bridge (with host-local) and portmap, executed as libcni does"

    def add(self, pot: int) -> float:
        namespace = _namespace(f"cni{pot}")
        network = _bridge()
        begun = _Call("ADD", pot, namespace, self.path)
        bridged = begun(network)
        redirected = begun(_portmap(pot) | {"prevResult": json.loads(begun.said)})
        return bridged + redirected

    def remove(self, pot: int) -> None:
        namespace = f"/run/netns/cni{pot}"
        ended = _Call("DEL", pot, namespace, self.path)
        ended(_portmap(pot))
        ended(_bridge())
        subprocess.run(("ip", "netns", "del", f"cni{pot}"), check=True)


class _Call:
    """One command of CNI's, for one plugin after the other."""

    def __init__(self, verb: str, pot: int, namespace: str, path: str) -> None:
        self.said = ""
        self._path = path
        self._environment = {
            "PATH": os.environ["PATH"],
            "CNI_COMMAND": verb,
            "CNI_CONTAINERID": f"cni{pot}",
            "CNI_NETNS": namespace,
            "CNI_IFNAME": "eth0",
            "CNI_PATH": path,
        }

    def __call__(self, network: dict[str, Any]) -> float:
        took, self.said = answered(
            f"{self._path}/{network['type']}", env=self._environment, text=json.dumps(network)
        )
        return took


def _bridge() -> dict[str, Any]:
    return {
        "cniVersion": "0.4.0",
        "name": "bench",
        "type": "bridge",
        "bridge": "cni0",
        "isGateway": True,
        "ipMasq": True,
        "hairpinMode": True,
        "ipam": {
            "type": "host-local",
            "subnet": "10.32.0.0/16",
            "dataDir": DATA,
            "routes": [{"dst": "0.0.0.0/0"}],
        },
    }


def _portmap(pot: int) -> dict[str, Any]:
    return {
        "cniVersion": "0.4.0",
        "name": "bench",
        "type": "portmap",
        "runtimeConfig": {
            "portMappings": [{"hostPort": 50000 + pot, "containerPort": 80, "protocol": "tcp"}]
        },
    }


@dataclass(frozen=True)
class Netavark:
    """``netavark setup`` as Podman calls it."""

    program: str
    name: str = "netavark"
    how: str = "netavark setup, executed as Podman does"

    def add(self, pot: int) -> float:
        return self._run("setup", pot, _namespace(f"ark{pot}"))

    def remove(self, pot: int) -> None:
        self._run("teardown", pot, f"/run/netns/ark{pot}")
        subprocess.run(("ip", "netns", "del", f"ark{pot}"), check=True)

    def _run(self, verb: str, pot: int, namespace: str) -> float:
        argv = (self.program, "--config", "/run/netavark", verb, namespace)
        Path("/run/netavark").mkdir(exist_ok=True)
        return process(*argv, env={"PATH": os.environ["PATH"]}, text=json.dumps(_options(pot)))


def _options(pot: int) -> dict[str, Any]:
    return {
        "container_id": f"{pot:064x}",
        "container_name": f"ark{pot}",
        "port_mappings": [
            {"host_ip": "", "container_port": 80, "host_port": 60000 + pot, "range": 1, "protocol": "tcp"}
        ],
        "networks": {"bench": {"static_ips": [f"10.33.0.{pot + 2}"], "interface_name": "eth0"}},
        "network_info": {
            "bench": {
                "name": "bench",
                "id": "b" * 64,
                "driver": "bridge",
                "network_interface": "ark0",
                "subnets": [{"subnet": "10.33.0.0/16", "gateway": "10.33.0.1"}],
                "ipv6_enabled": False,
                "internal": False,
                "dns_enabled": False,
                "ipam_options": {"driver": "host-local"},
            }
        },
    }
