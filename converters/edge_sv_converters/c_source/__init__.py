""".tflite -> C99: a graph is read and checked, lowered to kernel calls, given memory, and written as source.

`graph` reads the file, `operators/` say which kernel computes each operator (`calls` has the vocabulary), `plan` places
tensors in the arena, `emit` writes the C. Each is a value in and a value out.
"""
