"""What a real kernel is seen to have: the picture of a host, and its counters."""

from __future__ import annotations

from linux_world import OUTSIDE, PYTHON, World


def test_the_picture_shows_what_the_kernel_has(world: World) -> None:
    world.potnet("create-private-bridge", "-B", "stove", "-S", "4")
    world.potnet("create", "-p", "casserole", "-N", "public-bridge", "-S", "dual")
    world.potnet("create", "-p", "kettle", "-N", "private-bridge", "-B", "stove")
    world.potnet("create", "-p", "ladle", "-N", "alias", "-i", "192.0.2.200")
    world.potnet("start", "casserole", "ladle")
    view = world.facts("graph")
    assert (view["kind"], [each["name"] for each in view["interfaces"]]) == ("linux", ["eth0"])
    assert view["interfaces"][0]["addresses"] == ["192.0.2.1/24", "2001:db8:7::20/64"]
    states = {each["name"]: each["state"] for each in (*view["bridges"], *view["pots"])}
    up = {"public": "up", "public6": "up", "casserole": "running", "ladle": "running"}
    assert states == up | {"stove": "down", "kettle": "stopped"}
    shown = world.potnet("graph", "--format", "svg")
    assert all(f">{name}</text>" in shown for name in ("eth0", "public", "stove", "casserole", "ladle"))


def test_metrics_follow_real_packets(world: World) -> None:
    for name in ("casserole", "wok"):
        world.potnet("create", "-p", name, "-N", "public-bridge")
    world.potnet("start", "casserole", "wok")

    def figures() -> dict[str, dict[str, int]]:
        return {
            metric["name"]: {sample["labels"]["pot"]: sample["value"] for sample in metric["samples"]}
            for metric in world.facts("metrics")
            if metric["name"].startswith("potnet_pot_")
        }

    before = figures()
    assert set(before["potnet_pot_running"].values()) == {1}
    send = "import socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); "
    send += f"[s.sendto(bytes(1000), ({world.address('casserole')!r}, 9)) for _ in range(50)]"
    assert world.run(*world.within("wok", "python3", "-c", send)).code == 0
    after = figures()
    grown = {
        (name, pot): after[name][pot] - before[name][pot] for name in after for pot in ("casserole", "wok")
    }
    # Each with the headers of UDP, IP and Ethernet.
    assert grown["potnet_pot_transmit_bytes_total", "wok"] >= 50 * 1042
    assert grown["potnet_pot_receive_bytes_total", "casserole"] >= 50 * 1042
    assert grown["potnet_pot_receive_packets_total", "casserole"] >= 50
    # What comes back is an error of ICMP now and then.
    assert grown["potnet_pot_receive_bytes_total", "wok"] < 50 * 600


def test_what_leads_outside_is_counted(world: World) -> None:
    world.potnet("create", "-p", "wok", "-N", "public-bridge")
    world.potnet("start", "wok")

    def sent() -> int:
        metrics = {metric["name"]: metric["samples"] for metric in world.facts("metrics")}
        (sample,) = metrics["potnet_uplink_transmit_bytes_total"]
        assert sample["labels"] == {"interface": "eth0"}
        return int(sample["value"])

    before = sent()
    send = "import socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); "
    send += f"[s.sendto(bytes(1000), ({OUTSIDE!r}, 9)) for _ in range(50)]"
    assert world.run(*world.within("wok", *PYTHON, "-c", send)).code == 0
    assert sent() - before >= 50 * 1042
