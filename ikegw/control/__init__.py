"""What an operator asks of ikegw and tells it: `ikegwctl`."""
