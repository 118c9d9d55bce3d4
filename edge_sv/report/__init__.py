"""Results as pictures and documents. The same results give the same bytes."""
