"""The device's arithmetic in Python: what the C of targets/common computes, bit for bit, and the tables it reads."""
