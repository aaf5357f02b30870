"""What is configured of accounting."""

from pathlib import Path

from attrs import frozen


@frozen
class AccountingSettings:
    """`directory` holds the queue. Seconds: `interim_seconds` 0 for none, unless the AAA server wants them.

    `counts_seconds`: how often what sessions carried is written down. `keep_seconds`: how long a record is tried to be sent.
    """

    directory: Path = Path("/var/lib/ikegw")
    interim_seconds: float = 0.0
    counts_seconds: float = 60.0
    keep_seconds: float = 7 * 86400.0
