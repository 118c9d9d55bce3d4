"""What lies in a .tflite file: tensors, quantization, operators, metadata."""
