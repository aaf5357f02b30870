"""A script of the operator's, run when a tunnel comes up and when it goes."""

from attrs import frozen


@frozen
class Script:
    """`path` is a file that can be run; it is killed after `seconds`. `required`: no tunnel whose run for "up" fails."""

    path: str
    seconds: float = 10.0
    required: bool = False
