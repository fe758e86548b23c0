"""What will run on this machine, and how fast."""
