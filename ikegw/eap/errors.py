"""What goes wrong in a login; each says whose fault it is, and none ever names a secret."""


class BadEap(Exception):
    """What the other side sent cannot be read: a length, a field or a format that the method does not have."""


class LoginFailed(Exception):
    """The login cannot go on. The text is for the operator: what was expected, what came, what to do."""
