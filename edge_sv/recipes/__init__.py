"""What a compression does, as values: recipes, quantizers, bits for each layer. Never imports TensorFlow."""
