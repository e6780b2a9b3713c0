"""Parameters of jail(8) that a pot gets."""

from __future__ import annotations

from ..host import HOST
from ..registry import scenario
from ..user import User


@scenario("kind freebsd")
def jail_parameters(user: User) -> None:
    given = ("--param", "allow.mlock", "--param", "sysvshm=new", "--param", "children.max=2")
    web = user.run("web", "-N", "public-bridge", *given)

    def shown() -> str:
        return user.tool("jls", "-n", "-j", web, "allow.mlock", "sysvshm", "children.max").strip()

    assert shown() == "allow.mlock sysvshm=new children.max=2"
    user.connects(HOST, user.address(web), web)
    user.agrees()
    user.tool("jail", "-m", f"name={web}", "allow.nomlock", "sysvshm=inherit")
    found = user.try_potnet("-o", "json", "check", web)
    assert (found.code, found.out.count("parameter-differs")) == (1, 2), found
    user.potnet("repair", web)
    assert shown() == "allow.mlock sysvshm=new children.max=2"
    user.potnet("set", web, "--param", "allow.mlock=false", "--no-param", "sysvshm")
    user.potnet("stop", web)
    user.start(web)
    assert shown() == "allow.nomlock sysvshm=disable children.max=2"
    for parameter, reason in (
        ("allow.nosuch", "does not know"),
        ("devfs_ruleset=64999", "hides nothing"),
    ):
        assert reason in user.refused("set", web, "--param", parameter)
    assert user.try_potnet("set", web, "--param", "vnet").code == 2
