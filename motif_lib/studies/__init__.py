"""Several runs side by side: the demo, seeds, ablations, and what is kept of them."""
