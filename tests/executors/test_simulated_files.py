"""Files of the simulated host: nothing outside its tree is ever read or written through a link."""

from __future__ import annotations

import io
import os
import shutil
import stat
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from potnet.executors.base import Command, CommandResult
from potnet.executors.simulated import SimulatedHost

Run = Callable[..., CommandResult]


def test_an_absolute_link_stays_in_the_tree(host: SimulatedHost, run: Run, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_text("secret")
    run("mkdir -p /jails/a")
    (host.tree / "jails/a/etc").symlink_to(outside)
    (host.tree / "jails/a/up").symlink_to("../../../../../../../.." + str(outside))
    run("cat /jails/a/etc/secret", code=1)
    run("cat /jails/a/up/secret", code=1)
    assert run("tee /jails/a/etc/resolv.conf", stdin="x", code=1).err.endswith("No such file or directory\n")
    run("mkdir -p /jails/a/etc/deep", code=1)
    assert sorted(p.name for p in outside.iterdir()) == ["secret"]


def test_a_link_into_the_tree_is_followed(host: SimulatedHost, run: Run) -> None:
    (host.tree / "tmp/link").symlink_to("/etc")
    run("tee /tmp/link/motd", stdin="hello\n")
    assert (host.tree / "etc/motd").read_text() == "hello\n"
    assert run("realpath /tmp/link/../etc/motd").out == "/etc/motd\n"


def test_links_in_a_ring(host: SimulatedHost, run: Run) -> None:
    (host.tree / "tmp/potnet-ring-one").symlink_to("potnet-ring-two")
    (host.tree / "tmp/potnet-ring-two").symlink_to("/tmp/potnet-ring-one")
    said = run("cat /tmp/potnet-ring-one", code=1).err
    assert said == "cat: /tmp/potnet-ring-one: Too many levels of symbolic links\n"
    run("test -L /tmp/potnet-ring-one")
    run("test -e /tmp/potnet-ring-one", code=1)


def test_a_real_directory_becomes_part_of_the_host(tmp_path: Path) -> None:
    real = tmp_path / "mine"
    (real / "etc").mkdir(parents=True)
    (real / "etc/away").symlink_to("/etc/resolv.conf")
    host = SimulatedHost(tmp_path / "host")
    assert host.run(Command(("cat", f"{real}/etc/away"))).code == 1
    assert host.run(Command(("test", "-d", str(real)), changes_host=False)).code == 0
    host.run(Command(("tee", f"{real}/etc/hosts"), stdin="mine\n"))
    assert (real / "etc/hosts").read_text() == "mine\n"
    # The link leads to the host's file, not to this machine's.
    assert host.run(Command(("cat", f"{real}/etc/away"))).out == "nameserver 192.168.178.1\n"
    again = SimulatedHost(tmp_path / "host")
    assert again.run(Command(("cat", f"{real}/etc/hosts"), changes_host=False)).out == "mine\n"
    again.run(Command(("rm", "-rfx", str(real))))
    assert real.is_dir(), "a directory of the real machine itself is never removed"


def test_the_state_directory_and_those_above_it_are_not_taken_in(tmp_path: Path) -> None:
    host = SimulatedHost(tmp_path / "state" / "host")
    host.run(Command(("true",)))
    for path in (tmp_path, tmp_path / "state", tmp_path / "state/host", tmp_path / "state/host/root/etc"):
        assert host.run(Command(("test", "-d", str(path)))).code == 1, path


def test_names_and_content_that_are_not_utf8(host: SimulatedHost) -> None:
    name = b"/tmp/\xff\xfe".decode("utf-8", "surrogateescape")
    (host.tree / "tmp/raw").write_bytes(b"\xff\x00ok")
    text = host.run(Command(("cat", "/tmp/raw"))).out
    assert host.run(Command(("tee", name), stdin=text)).code == 0
    assert (host.tree / "tmp" / os.fsdecode(b"\xff\xfe")).read_bytes() == b"\xff\x00ok"


def test_stat_tells_the_types(host: SimulatedHost, run: Run) -> None:
    (host.tree / "tmp/link").symlink_to("/nowhere")
    os.mkfifo(host.tree / "tmp/pipe")
    argv = ("stat", "-f", "%HT%t%N", "/etc/hosts", "/etc", "/tmp/link", "/tmp/pipe", "/nosuch")
    result = host.run(Command(argv))
    wanted = "Regular File\t/etc/hosts\nDirectory\t/etc\nSymbolic Link\t/tmp/link\nFifo File\t/tmp/pipe\n"
    assert (result.code, result.out) == (1, wanted)
    assert result.err == "stat: /nosuch: No such file or directory\n"


def test_mv_h_replaces_a_link_to_a_directory(host: SimulatedHost, run: Run) -> None:
    for _ in range(2):
        run("tee /tmp/new", stdin="new")
        (host.tree / "tmp/target").unlink(missing_ok=True)
        (host.tree / "tmp/target").symlink_to("/etc")
        run("mv -h /tmp/new /tmp/target")
        assert (host.tree / "tmp/target").read_text() == "new"
    run("tee /tmp/new", stdin="new")
    (host.tree / "tmp/folder").mkdir()
    run("mv /tmp/new /tmp/folder")
    assert (host.tree / "tmp/folder/new").is_file()
    assert "No such file" in run("mv /nosuch /tmp/x", code=1).err


def test_find_deletes_and_renames_only_in_the_directory_itself(host: SimulatedHost, run: Run) -> None:
    find = "find -P {} -mindepth 1 -maxdepth 1 -name resolv.conf ( -type f -o -type l ) -delete"
    run("mkdir -p /jails/a")
    (host.tree / "jails/a/etc").symlink_to("/etc")
    run(find.format("/jails/a/etc"))
    assert (host.tree / "etc/resolv.conf").exists(), "a link is no directory to look into"
    (host.tree / "jails/a/etc").unlink()
    run("mkdir -p /jails/a/etc")
    (host.tree / "jails/a/etc/resolv.conf").symlink_to("/etc/resolv.conf")
    move = "find -P /jails/a/etc -mindepth 1 -maxdepth 1 -name resolv.conf -execdir mv -h {} saved ;"
    run(move)
    assert (host.tree / "jails/a/etc/saved").is_symlink()
    run(find.replace("resolv.conf", "saved").format("/jails/a/etc"))
    assert list((host.tree / "jails/a/etc").iterdir()) == []
    assert (host.tree / "etc/resolv.conf").exists()
    assert run(find.format("/nosuch"), code=1).err == "find: /nosuch: No such file or directory\n"
    for name in ("a", "b", "c"):
        (host.tree / "jails/a/etc" / name).write_text("x")
    run("find -P /jails/a/etc -mindepth 1 -maxdepth 1 ( -name a -o -name b ) -type f -delete")
    assert [left.name for left in (host.tree / "jails/a/etc").iterdir()] == ["c"]


def test_rm_does_not_follow_links_nor_cross_mounts(host: SimulatedHost, run: Run) -> None:
    run("mkdir -p /jails/a/dev /jails/a/etc")
    (host.tree / "jails/a/etc/link").symlink_to("/etc")
    text = 'a { path = "/jails/a"; persist; mount.devfs; devfs_ruleset = 4; }'
    run("jail -f - -c a", stdin=text)
    run("chflags -R 0 /jails/a")
    stuck = run("rm -rfx /jails/a", code=1).err
    assert stuck == "rm: /jails/a/dev: Device busy\nrm: /jails/a: Directory not empty\n".replace(
        "Device busy", os.strerror(16)
    )
    run("jail -f - -r a", stdin=text)
    run("rm -rfx /jails/a")
    assert not (host.tree / "jails/a").exists() and (host.tree / "etc/hosts").exists()
    assert run("rm -f /nosuch").err == ""


def test_devfs_needs_its_directory(host: SimulatedHost, run: Run) -> None:
    run("mkdir -p /jails/a")
    text = 'a { path = "/jails/a"; persist; mount.devfs; }'
    refused = run("jail -f - -c a", stdin=text, code=1)
    assert refused.err == "jail: a: mount.devfs: /jails/a/dev: No such file or directory\n"
    (host.tree / "jails/a/dev").symlink_to("/etc")
    assert "symbolic link" in run("jail -f - -c a", stdin=text, code=1).err
    assert host.jails() == {} and host.mounts() == []


def _archive(*entries: tuple[str, str | None]) -> bytes:
    """A tar file of (name, content); content None: a directory; with "->" before it: a link."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as out:
        for name, content in entries:
            entry = tarfile.TarInfo(name)
            if content is None:
                entry.type, entry.mode = tarfile.DIRTYPE, 0o755
                out.addfile(entry)
            elif content.startswith("->"):
                entry.type, entry.linkname = tarfile.SYMTYPE, content[2:]
                out.addfile(entry)
            else:
                entry.size = len(content)
                out.addfile(entry, io.BytesIO(content.encode()))
    return buffer.getvalue()


def test_tar_writes_through_no_link(host: SimulatedHost, tmp_path: Path) -> None:
    packed = tmp_path / "a.tar"
    entries = [("etc", "->/etc"), ("etc/passwd", "bad"), ("../up", "bad"), ("/abs", "fine"), ("d/f", "fine")]
    packed.write_bytes(_archive(*entries))
    (host.tree / "tmp/a").mkdir()
    result = host.run(Command(("tar", "-x", "-f", "-", "-C", "/tmp/a"), stdin=packed))
    assert result.code == 1
    assert "etc/passwd: Cannot extract through symlink etc" in result.err
    assert "../up: Path contains '..'" in result.err
    assert not (host.tree / "etc/passwd").exists() and not (host.tree / "tmp/up").exists()
    assert (host.tree / "tmp/a/abs").read_text() == (host.tree / "tmp/a/d/f").read_text() == "fine"


def test_tar_replaces_a_link_at_the_end(host: SimulatedHost, tmp_path: Path) -> None:
    packed = tmp_path / "a.tar"
    packed.write_bytes(_archive(("hosts", "new")))
    (host.tree / "tmp/a").mkdir()
    (host.tree / "tmp/a/hosts").symlink_to("/etc/hosts")
    assert host.run(Command(("tar", "-x", "-f", "-", "-C", "/tmp/a"), stdin=packed)).code == 0
    assert (host.tree / "tmp/a/hosts").read_text() == "new"
    assert "localhost" in (host.tree / "etc/hosts").read_text()


def test_the_mirror_has_bases_and_nothing_else(run: Run, host: SimulatedHost) -> None:
    url = "https://download.freebsd.org/releases/amd64/12.2-RELEASE"
    name, digest, *_ = run(f"fetch -q -o - {url}/MANIFEST").out.split("\t")
    assert name == "base.txz"
    run(f"fetch -q -o /tmp/base.txz {url}/base.txz")
    size = (host.tree / "tmp/base.txz").stat().st_size
    assert run(f"fetch -s {url}/base.txz").out == run("stat -f %z /tmp/base.txz").out == f"{size}\n"
    assert run(f"sha256 -c {digest} /tmp/base.txz").out == f"SHA256 (/tmp/base.txz) = {digest}\n"
    assert run(f"sha256 -c {'0' * 64} /tmp/base.txz", code=2).out.endswith("[ Failed ]\n")
    run("mkdir -p /jails/a")
    run("tar -x -f /tmp/base.txz -C /jails/a")
    assert host.run(Command(("test", "-x", "/jails/a/sbin/rtsol"))).code == 0
    assert run(f"fetch -q -o /tmp/kernel.txz {url}/kernel.txz", code=1).err.endswith(": Not Found\n")
    assert not (host.tree / "tmp/kernel.txz").exists()
    assert run(f"fetch -s {url}/kernel.txz", code=1).err == "fetch: Not Found\n"
    assert "No such file" in run("stat -f %z /tmp/kernel.txz", code=1).err


def test_cp_p_and_modes(host: SimulatedHost, run: Run) -> None:
    run("mkdir -p -m 700 /tmp/deep/er")
    run("cp -p /etc/resolv.conf /tmp/deep/er/copy")
    run("chmod 600 /tmp/deep/er/copy")
    assert stat.S_IMODE((host.tree / "tmp/deep/er").stat().st_mode) == 0o700
    assert stat.S_IMODE((host.tree / "tmp/deep/er/copy").stat().st_mode) == 0o600
    assert run("mkdir /tmp/deep", code=1).err == "mkdir: /tmp/deep: File exists\n"


@pytest.mark.parametrize("program", ["cat", "test -f", "du -sh", "stat -f %HT%t%N", "sha256 -q", "realpath"])
def test_absent_files(run: Run, program: str) -> None:
    assert run(f"{program} /nosuch", code=1).out == ""


def test_du_counts_as_ufs_does(run: Run, host: SimulatedHost) -> None:
    top = host.tree / "tmp/top"
    (top / "folder").mkdir(parents=True)
    (top / "empty").touch()
    (top / "small").write_bytes(b"x")
    (top / "sparse").touch()
    os.truncate(top / "sparse", 4097)
    (top / "folder/again").hardlink_to(top / "sparse")
    (top / "link").symlink_to("small")
    assert run("du -sh /tmp/top").out == " 20K\t/tmp/top\n"
    assert run("du -sh /tmp/top/small").out == "4.0K\t/tmp/top/small\n"


def test_two_spellings_of_one_real_directory_are_one_path(tmp_path: Path) -> None:
    root = tmp_path / "mine/root"
    (root / "dev").mkdir(parents=True)
    (tmp_path / "short").symlink_to("mine")
    (tmp_path / "mine/away").symlink_to(root)
    host = SimulatedHost(tmp_path / "host")

    def run(*argv: str) -> CommandResult:
        return host.run(Command(argv))

    for end in ("short/root", "mine/away", "mine/root/", "short/../mine/root"):
        spelling = f"{tmp_path}/{end}"
        assert run("test", "-d", spelling).code == 0
        assert run("realpath", spelling).out == f"{root}\n", spelling
    text = f'a {{ path = "{tmp_path}/short/root"; persist; mount.devfs; }}'
    assert host.run(Command(("jail", "-f", "-", "-c", "a"), stdin=text)).code == 0
    assert run("jls", "-j", "a", "path").out == f"{root}\n" and host.mounts() == [f"{root}/dev"]
    assert host.run(Command(("jail", "-f", "-", "-r", "a"), stdin=text)).code == 0
    assert host.mounts() == []


def test_a_link_below_a_real_directory_is_followed(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "other/deep").mkdir(parents=True)
    (tmp_path / "mine/out").symlink_to(tmp_path / "other")
    host = SimulatedHost(tmp_path / "host")
    for path, wanted in ((tmp_path / "mine", "mine"), (tmp_path / "mine/out/deep", "other/deep")):
        assert host.run(Command(("realpath", str(path)))).out == f"{tmp_path / wanted}\n"


@pytest.mark.parametrize("path", ["etc", "./etc", "nosuch", "/nosuch", "/nosuch/deep"])
def test_realpath_of_what_is_not_there(run: Run, path: str) -> None:
    assert run(f"realpath {path}", code=1).err == f"realpath: {path}: No such file or directory\n"


@pytest.mark.parametrize("mapped", [False, True])
def test_a_root_that_goes_while_its_jail_runs(tmp_path: Path, mapped: bool) -> None:
    host = SimulatedHost(tmp_path / "host")
    root = tmp_path / "mine/a" if mapped else host.tree / "jails/a"
    path = str(root) if mapped else "/jails/a"
    (root / "dev").mkdir(parents=True)
    (tmp_path / "short").symlink_to("mine")

    def run(*argv: str, stdin: str | None = None) -> tuple[int, str, str]:
        result = host.run(Command(argv, stdin=stdin))
        return result.code, result.out, result.err

    assert run("test", "-d", path)[0] == 0
    run("test", "-d", f"{tmp_path}/short/a")
    text = f'a {{ path = "{path}"; persist; vnet; mount.devfs; }}'
    assert run("jail", "-f", "-", "-c", "a", stdin=text)[0] == 0
    shutil.rmtree(root.parent)
    gone = "No such file or directory\n"
    for program in ("/bin/sh", "ifconfig", "true"):
        assert run("jexec", "a", program) == (1, "", f"jexec: execvp: {program}: {gone}")
    assert host.attach(Command(("jexec", "a", "/bin/sh"))) == 1
    assert run("ifconfig", "-j", "a", "-l") == (0, "lo0\n", "")
    assert run("du", "-sh", path) == (1, "", f"du: {path}: {gone}")
    assert run("stat", "-f", "%HT%t%N", path) == (1, "", f"stat: {path}: {gone}")
    find = ("find", "-P", f"{path}/etc", "-mindepth", "1", "-maxdepth", "1", "-name", "x")
    assert run(*find) == (1, "", f"find: {path}/etc: {gone}")
    assert f"{path}/dev" in run("mount")[1] and run("mount", "-p")[0] == 0
    assert run("realpath", path) == (1, "", f"realpath: {path}: {gone}")
    assert run("jls", "-j", "a", "path") == (0, f"{path}\n", "")
    if mapped:
        text = text.replace("mine/a", "short/a")
    assert run("jail", "-f", "-", "-r", "a", stdin=text) == (0, "a: removed\n", "")
    assert host.mounts() == [] and host.jails() == {}
