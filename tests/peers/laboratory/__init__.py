"""A laboratory of network namespaces in which real IKE daemons meet: wires, daemons, traffic, and what is swept up after."""
