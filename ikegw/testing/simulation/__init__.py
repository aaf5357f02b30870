"""A seeded world: gateways and clients, a bad wire, impatient operators. One seed is one run, the same every time."""
