"""What tests, the bench and the simulation stand on: a world in one process, with its own clock, wire and peers."""
