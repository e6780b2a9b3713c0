"""Packages that are loaded in part: what is asked of them is there, and nothing else is loaded."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

START = "import sys\nfrom potnet.runtime.lazy_packages import lean\nlean('netaddr', 'ip', 'core')\n"
JINJA2 = START + "lean('jinja2', 'environment', 'runtime', 'exceptions')\n"


def said(code: str) -> str:
    """What a fresh Python prints."""
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout


def test_addresses_come_without_the_vendors_of_ethernet() -> None:
    code = "from netaddr import IPAddress, IPNetwork\nprint(IPAddress('::1') in IPNetwork('::/64'))"
    assert said(START + code + "\nprint('netaddr.eui' in sys.modules)") == "True\nFalse\n"


@pytest.mark.parametrize(
    ("code", "shown"),
    [
        ("from netaddr import EUI; print(EUI('02-00-00-00-00-01'))", "02-00-00-00-00-01"),
        ("import netaddr; print(netaddr.eui.EUI(1), netaddr.ip)", "00-00-00-00-00-01"),
        ("import netaddr; print(netaddr.__version__)", "1."),
        ("import netaddr; print(hasattr(netaddr, 'nothing'), netaddr.EUI.__name__)", "False EUI"),
        ("import netaddr as n; a = n.IPAddress(1); n.EUI; print(type(a) is n.IPAddress)", "True"),
        ("from netaddr import *; print(EUI.__name__, IPSet.__name__)", "EUI IPSet"),
    ],
)
def test_all_of_a_package_is_there_for_who_asks(code: str, shown: str) -> None:
    assert said(START + code).startswith(shown)


def test_jinja2_comes_without_its_loaders_until_they_are_asked_for() -> None:
    code = "from jinja2 import Environment\nprint(Environment().from_string('{{ 6 * 7 }}').render())\n"
    code += "print('jinja2.loaders' in sys.modules)\nfrom jinja2 import DictLoader\n"
    code += "print(Environment(loader=DictLoader({'a': 'b'})).get_template('a').render())"
    assert said(JINJA2 + code) == "42\nFalse\nb\n"


def test_a_package_that_is_loaded_stays_as_it_is() -> None:
    code = "import sys, netaddr\nbefore = dict(vars(netaddr))\n"
    code += "from potnet.runtime.lazy_packages import lean\nlean('netaddr', 'ip')\n"
    assert said(code + "print(sys.modules['netaddr'] is netaddr, vars(netaddr) == before)") == "True True\n"


def test_a_package_that_there_is_not_stays_missing() -> None:
    with pytest.raises(subprocess.CalledProcessError):
        said(
            "from potnet.runtime.lazy_packages import lean\n"
            "lean('nothing_of_that_name', 'a')\nimport nothing_of_that_name"
        )


def test_a_start_loads_nothing_that_it_can_do_without(tmp_path: Path) -> None:
    """OpenSSL, for digests that it does not make, takes 9 ms."""
    code = "import sys, runpy, os\nos._exit = lambda code: print(code, *sys.modules, file=sys.stderr)\n"
    code += "import potnet.__main__ as it\nsys.argv[1:] = ['start', 'web']\nit.main()"
    state = str(tmp_path)
    env = {"POTNET_HOST": "sim", "POTNET_STATE_DIR": state, "PATH": "/bin:/usr/bin", "HOME": state}
    create = [sys.executable, "-m", "potnet", "create", "-p", "web", "-N", "public-bridge"]
    subprocess.run(create, env=env, check=True, capture_output=True)
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True)
    assert done.stdout == "web started\n"
    code_and_modules = done.stderr.splitlines()[-1].split()
    assert code_and_modules[0] == "0"
    unneeded = {"netaddr.eui", "jinja2.loaders", "jinja2.bccache", "importlib.resources", "zipfile"}
    assert not unneeded & {*code_and_modules}
