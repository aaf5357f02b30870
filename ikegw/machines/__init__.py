"""The paper's machines (Figures 2–9), one file each, with its state names. They do no I/O and know no octets.

Inputs all return None, so that an input fed from inside an output is postponed until the output is through. Outputs call a driver
and must not raise: whatever a driver waits for or fails at comes back as another input.
"""
