"""What compression has done to a net: to its weights, its layers, its scores and what its embeddings know."""
