"""``python -m potnet`` and the installed ``potnet``."""

from potnet.cli.main import main

__all__ = ["main"]

if __name__ == "__main__":
    main()
