"""What `script/demo` shows: a gateway and a client, told as a story."""
