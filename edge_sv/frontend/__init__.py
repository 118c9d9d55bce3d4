"""From samples to segments of log-mel features: the float reference, and what the device computes in its place."""
