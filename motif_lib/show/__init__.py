"""Tables, figures, colours, and text that is safe to print."""
