"""What a browser reads: the status page, live and read-only."""
