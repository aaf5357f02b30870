"""The network: the UDP sockets of IKE and what goes over them."""
