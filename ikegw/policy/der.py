"""One element of DER, no more (X.690 §8.1): for what is named in IKE itself; certificates are the library's to read."""


def element(octets: bytes) -> tuple[int, bytes, bytes]:
    """Tag, content and what follows; ValueError.

    Definite lengths of up to three octets and tags of one, which is all that we need.
    """
    if len(octets) < 2:
        raise ValueError("an element is cut off")
    tag, length, start = octets[0], octets[1], 2
    if length & 0x80:
        start += length & 0x7F
        if start not in (3, 4, 5) or len(octets) < start:
            raise ValueError("a length that nothing here has")
        length = int.from_bytes(octets[2:start], "big")
    if len(octets) < start + length:
        raise ValueError("an element is cut off")
    return tag, octets[start : start + length], octets[start + length :]
