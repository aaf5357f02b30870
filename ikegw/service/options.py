"""What `twistd ikegw` takes on its command line."""

from pathlib import Path

from twisted.python import usage

DEFAULT_CONFIGURATION = "/etc/ikegw/ikegw.toml"


class Options(usage.Options):
    """`twistd ikegw --help` shows this."""

    synopsis = "Usage: twistd [twistd's options] ikegw [--config FILE]"
    longdesc = """\
An IKEv2 VPN gateway. It reads one TOML file, with conf.d/*.toml and secrets.d/*.toml beside it, and the credentials
in certs/, ca/ and private/ there. In the foreground, with the log on the terminal:

    twistd -n ikegw --config etc/ikegw/ikegw.toml

Signals: SIGHUP reads the configuration again and changes only what changed; SIGUSR1 writes the table of SAs and the
counters to the log; SIGTERM and SIGINT delete every SA and end. `ikegwctl check FILE` says what is wrong with a
configuration."""

    optParameters = [  # noqa: N815, RUF012 (Twisted's way)
        ["config", "c", DEFAULT_CONFIGURATION, "The configuration file."],
    ]

    def postOptions(self) -> None:  # noqa: N802 (Twisted's name)
        """Keep the file's absolute name, for twistd may change the directory."""
        self["config"] = Path(self["config"]).absolute()
