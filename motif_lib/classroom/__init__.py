"""For teachers: build the notebooks, grade them, pack them for a room without a network."""
