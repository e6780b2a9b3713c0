"""Configuration, templates and resolver files with anything in them, and files that are somebody else's."""

from __future__ import annotations

import os
import random
import re
import stat
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sandbox import NASTY, TEMPLATES, Said, Sandbox

from potnet.config.configuration import KEYS
from potnet.runtime import trust

#: The same inputs each time, so that a failure is found again.
CHECKS = {"suppress_health_check": list(HealthCheck), "deadline": None, "derandomize": True}

VALUES = st.one_of(
    st.sampled_from(NASTY).map(lambda text: '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'),
    st.sampled_from(NASTY),
    st.integers().map(str),
    st.floats().map(str),
    st.sampled_from(
        ["true", "[]", "{}", "1979-05-27", "[1, 'a']", '{a = "b"}', "'''x", '"\\u202e"', "0x", "9" * 6000]
    ),
    st.sampled_from(['"10.0.0.0/8"', '"em0"', '"10.0.0.1"', '"/srv/x"', '"ipv6"', "1024", '"fd00::/64"']),
)


@st.composite
def documents(draw: st.DrawFn) -> str:
    """Something like a configuration."""
    lines = []
    for name in draw(st.lists(st.sampled_from([key.name for key in KEYS] + ["potnet.x", "x.y"]), max_size=4)):
        table, _, key = name.partition(".")
        lines.append(f"[{table}]\n{key} = {draw(VALUES)}")
    lines += draw(st.lists(st.sampled_from(NASTY), max_size=2))
    return "\n".join(draw(st.permutations(lines)))


def as_bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape" if max(text, default=" ") >= "\udc80" else "surrogatepass")


def said(sandbox: Sandbox, *words: str) -> Said:
    return sandbox.potnet("--host", "sim", "--state-dir", str(sandbox.state), *words)


def configured(figure: Callable[..., None], examples: int) -> None:
    @settings(max_examples=examples, **CHECKS)  # type: ignore[arg-type]
    @given(st.one_of(documents().map(lambda text: text.encode("utf-8", "replace")), st.binary(max_size=60)))
    def tried(data: bytes) -> None:
        with tempfile.TemporaryDirectory() as directory:
            sandbox = Sandbox(Path(directory))
            file = sandbox.directory / "potnet.toml"
            file.write_bytes(data)
            for line in ("config", "create -p casserole -N public-bridge", "-n start casserole"):
                said(sandbox, "--config", str(file), *line.split())
            figure("hostile configurations", tried=1, failures=0)

    tried()


def test_a_sample_of_configurations(figure: Callable[..., None]) -> None:
    configured(figure, 15)


@pytest.mark.slow
def test_thousands_of_configurations(figure: Callable[..., None]) -> None:
    configured(figure, 800)


def resolved(figure: Callable[..., None], texts: list[bytes]) -> None:
    with tempfile.TemporaryDirectory() as directory:
        sandbox = Sandbox(Path(directory))
        assert said(sandbox, "create", "-p", "casserole").code == 0
        placed = sandbox.state / "sim/root/opt/potnet/jails/casserole/m/etc/resolv.conf"
        for data in texts:
            (sandbox.work / "resolv.conf").write_bytes(data)
            if said(sandbox, "set", "-p", "casserole", "-d", "custom:resolv.conf").code == 0:
                assert said(sandbox, "start", "casserole").code == 0
                assert placed.read_bytes() == data
                assert said(sandbox, "stop", "casserole").code == 0
                assert said(sandbox, "-n", "start", "casserole").code == 0
            figure("hostile resolver files", tried=1, failures=0)


def test_a_resolver_file_is_put_in_place_byte_for_byte_or_refused(figure: Callable[..., None]) -> None:
    nasty = [as_bytes(text) for text in NASTY]
    resolved(figure, [*nasty[::25], b"\xff", b"EOF\nEOF_\n", b"x" * 70_000, bytes(range(256)), b"a\r\nb"])


@pytest.mark.slow
def test_many_resolver_files(figure: Callable[..., None]) -> None:
    chance = random.Random(1)
    resolved(figure, [as_bytes(text) for text in NASTY] + [chance.randbytes(50) for _ in range(200)])


@pytest.mark.parametrize("rounds", [1, pytest.param(15, marks=pytest.mark.slow)])
def test_templates_with_anything_in_them(tmp_path: Path, rounds: int, figure: Callable[..., None]) -> None:
    """An administrator's own template may give any text; what it cannot do is to make potnet stumble."""
    sandbox, chance = Sandbox(tmp_path), random.Random(rounds)
    own = tmp_path / "templates"
    own.mkdir()
    (tmp_path / "potnet.toml").write_text(f'[paths]\ntemplates = "{own}"\n')
    assert said(sandbox, "create", "-p", "casserole", "-N", "public-bridge").code == 0
    pieces = [
        "{{ 1 / 0 }}", "{{ nowhere }}", "{% for x in 5 %}{% endfor %}", "{% if %}", "{{", "{% include 'x' %}",
        "{% extends 'hosts.j2' %}", "{{ name.__class__.__mro__ }}", "{{ [1] * 10 }}", "{{ name | quoted }}",
        "{{ name | nofilter }}", "{% set x = x %}", "\x1b[31m", "\ufeff", "{{ ''.join(5) }}", "{# ",
    ]  # fmt: skip
    for path in sorted(TEMPLATES.glob("*.j2")):
        for _ in range(rounds):
            text = path.read_text("utf-8")
            cut = chance.randrange(len(text) + 1)
            (own / path.name).write_text(text[:cut] + chance.choice(pieces) + text[cut:], "utf-8")
            # The rules may be nonsense then, as its author wanted.
            said(sandbox, "--config", str(tmp_path / "potnet.toml"), "-n", "start", "casserole")
            figure("hostile templates", tried=1, failures=0)
        (own / path.name).write_bytes(b"\xff\xfe")
        said(sandbox, "--config", str(tmp_path / "potnet.toml"), "-n", "start", "casserole")
        (own / path.name).unlink()


@pytest.fixture
def as_root(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files of whoever runs the tests are taken for root's."""
    monkeypatch.setattr(trust, "real_root", lambda: True)


@pytest.mark.usefixtures("as_root")
@pytest.mark.parametrize("what", ["file", "folder"])
@pytest.mark.parametrize("mode", [0o666, 0o602, 0o644])
def test_root_obeys_no_configuration_that_others_can_write(tmp_path: Path, what: str, mode: int) -> None:
    sandbox = Sandbox(tmp_path)
    folder = tmp_path / "etc"
    folder.mkdir(mode=0o755)
    file = folder / "potnet.toml"
    file.write_text("")
    file.chmod(mode if what == "file" else 0o644)
    folder.chmod((mode | 0o111) if what == "folder" else 0o755)
    done = said(sandbox, "--config", str(file), "list")
    assert done.code == (0 if mode == 0o644 else 1)
    assert ("others can write" in done.err) == (mode != 0o644)
    if done.code:
        assert "chmod" not in done.err


@pytest.mark.usefixtures("as_root")
@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to give a file away")
def test_root_obeys_no_configuration_of_somebody_elses(tmp_path: Path) -> None:
    sandbox = Sandbox(tmp_path)
    (tmp_path / "home").mkdir()
    file = tmp_path / "home/potnet.toml"
    file.write_text("")
    (tmp_path / "link.toml").symlink_to(file)
    os.chown(tmp_path / "home", 12345, -1)
    for path in (file, tmp_path / "link.toml"):
        done = said(sandbox, "--config", str(path), "list")
        assert (done.code, "belongs to user 12345" in done.err) == (1, True)
    os.chown(tmp_path / "home", 0, -1)
    os.chown(file, 12345, -1)
    assert "belongs to user 12345" in said(sandbox, "--config", str(file), "list").err


@pytest.mark.usefixtures("as_root")
@pytest.mark.parametrize("what", ["file", "folder", "neither"])
def test_root_obeys_no_template_that_others_can_write(tmp_path: Path, what: str) -> None:
    sandbox = Sandbox(tmp_path)
    own = tmp_path / "templates"
    own.mkdir(mode=0o755)
    (own / "hosts.j2").write_text("127.0.0.1 localhost\n")
    (own / "hosts.j2").chmod(0o666 if what == "file" else 0o644)
    own.chmod(0o777 if what == "folder" else 0o755)
    (tmp_path / "potnet.toml").write_text(f'[paths]\ntemplates = "{own}"\n')
    (tmp_path / "potnet.toml").chmod(0o644)
    assert said(sandbox, "create", "-p", "casserole").code == 0
    done = said(sandbox, "--config", str(tmp_path / "potnet.toml"), "start", "casserole")
    assert (done.code, "others can write" in done.err) == ((0, False) if what == "neither" else (1, True))


def test_whoever_is_not_root_may_obey_whom_he_likes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trust, "real_root", lambda: False)
    sandbox = Sandbox(tmp_path)
    (tmp_path / "potnet.toml").write_text("")
    (tmp_path / "potnet.toml").chmod(0o666)
    assert said(sandbox, "--config", str(tmp_path / "potnet.toml"), "list").code == 0


@pytest.fixture(params=[0, 0o77], ids=["umask 0", "umask 077"])
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


@pytest.mark.usefixtures("umask")
def test_what_potnet_keeps_is_its_owners_alone(tmp_path: Path) -> None:
    sandbox = Sandbox(tmp_path)
    for folder in (sandbox.work, *sandbox.work.parents):
        if tmp_path in folder.parents:
            folder.chmod(0o755)
    above = sandbox.work / "above"
    state = above / "deep" / "state"
    for line in (
        "create -p casserole -N public-bridge -b 14.2",
        "start casserole",
        "store backup x -f",
        "stop casserole",
    ):
        assert sandbox.potnet("--host", "sim", "--state-dir", str(state), *line.split()).code == 0
    for path in (above, above / "deep", state, state / "locks"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o700
    for path in (*state.glob("potnet.db*"), *(state / "locks").iterdir(), sandbox.work / "x"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    # What is in a root is for the jail's own users to read.
    made = state / "sim/root/opt/potnet/jails/casserole"
    assert stat.S_IMODE(made.stat().st_mode) == 0o700


@pytest.mark.parametrize("mode", [0o777, 0o1777])
def test_a_place_that_all_can_rename_is_no_place_for_a_store(tmp_path: Path, mode: int) -> None:
    sandbox = Sandbox(tmp_path)
    (sandbox.work / "shared").mkdir()
    (sandbox.work / "shared").chmod(mode)
    done = sandbox.potnet("--host", "sim", "--state-dir", "shared/state", "list")
    assert done.code == (1 if mode == 0o777 else 0)
    assert bool(re.search("anybody can replace|others can write", done.err)) == (mode == 0o777)
    assert "chmod" not in done.err


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to give a link away")
def test_a_link_of_somebody_elses_leads_to_no_store(tmp_path: Path) -> None:
    sandbox = Sandbox(tmp_path)
    (tmp_path / "link").symlink_to("state")
    assert said(sandbox, "list").code == 0
    assert sandbox.potnet("--host", "sim", "--state-dir", str(tmp_path / "link"), "list").code == 0
    os.lchown(tmp_path / "link", 12345, -1)
    done = sandbox.potnet("--host", "sim", "--state-dir", str(tmp_path / "link"), "list")
    assert (done.code, "is a symbolic link of user 12345" in done.err) == (1, True)


@pytest.mark.parametrize("command", ["next", "list", "config"])
def test_a_configuration_that_is_a_link_to_itself_is_told(tmp_path: Path, command: str) -> None:
    sandbox = Sandbox(tmp_path)
    (sandbox.work / "potnet.toml").symlink_to("potnet.toml")
    done = sandbox.potnet("--host", "sim", "--config", "potnet.toml", command)
    assert (done.code, "internal error" in done.err) == (1, False)
    assert "potnet.toml" in done.err


@pytest.mark.parametrize("place", ["", "/", "/locks", "/..", "/new", "above"])
def test_no_root_shows_the_store(tmp_path: Path, place: str) -> None:
    sandbox = Sandbox(tmp_path)
    assert said(sandbox, "list").code == 0
    (sandbox.state / "new").mkdir()
    (sandbox.state / "locks").mkdir(exist_ok=True)
    path = str(tmp_path) if place == "above" else f"{sandbox.state}{place}"
    done = said(sandbox, "create", "-p", "casserole", "--path", path)
    assert (done.code, "could read the store" in done.err) == (1, True), done.err
    assert list((sandbox.state / "new").iterdir()) == []
    assert said(sandbox, "-q", "list").out == ""


def test_no_root_that_is_made_shows_the_store(tmp_path: Path) -> None:
    sandbox = Sandbox(tmp_path)
    (tmp_path / "potnet.toml").write_text(f'[paths]\njails = "{sandbox.state}"\n')
    done = said(sandbox, "--config", str(tmp_path / "potnet.toml"), "create", "-p", "casserole")
    assert (done.code, "could read the store" in done.err) == (1, True)
    (tmp_path / "potnet.toml").write_text("")
    assert said(sandbox, "create", "-p", "casserole", "-N", "public-bridge", "-b", "14.2").code == 0
    assert said(sandbox, "start", "casserole").code == 0
    root = sandbox.state / "sim/root/opt/potnet/jails/casserole/m"
    kept = {
        path.lstat().st_ino
        for path in (*sandbox.state.glob("potnet.db*"), *(sandbox.state / "locks").iterdir())
    }
    assert kept.isdisjoint(path.lstat().st_ino for path in root.rglob("*"))
