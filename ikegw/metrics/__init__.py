"""What is measured, as a Prometheus page."""
