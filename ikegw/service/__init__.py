"""The roof: the twistd plugin, which joins all rooms, and what an operator reads of a running gateway."""
