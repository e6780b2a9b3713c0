"""What every test stands on: nothing of the caller's own set-up, and patience on slow machines."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from hypothesis import settings

settings.register_profile("potnet", deadline=None)
settings.load_profile("potnet")


@pytest.fixture(scope="session", autouse=True)
def _neutral_environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No POTNET_… variable and no configuration or store of whoever runs the tests."""
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("POTNET_")]:
            patch.delenv(name)
        for name in ("XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_DATA_HOME"):
            patch.setenv(name, str(home / name.lower()))
        own = home / "xdg_config_home" / "potnet" / "potnet.toml"
        own.parent.mkdir(parents=True)
        # An empty file of one's own hides the system's.
        own.touch()
        yield
