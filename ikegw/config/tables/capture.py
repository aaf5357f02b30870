"""Whether what is said may be captured, with the keys that open it."""

from typing import Final

from ikegw.config import kinds
from ikegw.config.shape import Key, Table

CAPTURE: Final = Table(
    "capture",
    "What `ikegwctl capture` may write down: IKE messages, with the keys that open them in Wireshark. Whoever may speak to the "
    "control socket then sees what peers say at a login: identities, EAP.",
    (
        Key("allowed", kinds.BOOLEAN, False, "May it? Allow it while you look for a fault."),
        Key("seconds", kinds.DURATION, "10m", "How long one capture lasts at most."),
        Key("bytes", kinds.OCTETS, "16M", "How much one capture holds at most."),
    ),
)
