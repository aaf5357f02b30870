"""The IKE SA: message window, retransmission, exchanges, and the drivers of the machines."""
