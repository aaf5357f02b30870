"""What `twistd ikegw` takes on its command line."""

from pathlib import Path
from typing import NoReturn

from twisted.python import usage

from ikegw import __version__

DEFAULT_CONFIGURATION = "/etc/ikegw/ikegw.toml"


_MORE = """
In the foreground, with the log on the terminal:

    twistd -n ikegw --config etc/ikegw/ikegw.toml

Beside the file are read: conf.d/*.toml and secrets.d/*.toml, and the
credentials in certs/, ca/ and private/. `ikegwctl check FILE` tells
everything that is wrong with them, without starting anything.

Signals:
    SIGHUP            read the configuration again; only what changed is touched
    SIGUSR1           write the table of SAs and the counters to the log
    SIGTERM, SIGINT   delete every SA in order, and end
"""


class Options(usage.Options):
    """`twistd ikegw --help` shows this."""

    synopsis = "[--config FILE]"
    longdesc = "An IKEv2 VPN gateway."
    optParameters = [  # noqa: N815, RUF012 (Twisted's way)
        ["config", "c", DEFAULT_CONFIGURATION, "The configuration file."],
    ]

    def getUsage(self, width: int | None = None) -> str:  # noqa: N802 (Twisted's name)
        """Add what usage.Options would run into one paragraph."""
        return f"{super().getUsage(width)}{_MORE}"

    def opt_version(self) -> NoReturn:
        """Display ikegw's version and exit."""
        print(f"ikegw {__version__}")  # noqa: T201 (what was asked for)
        raise SystemExit(0)

    def postOptions(self) -> None:  # noqa: N802 (Twisted's name)
        """Keep the file's absolute name, for twistd may change the directory."""
        self["config"] = Path(self["config"]).absolute()
