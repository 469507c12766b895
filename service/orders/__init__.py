"""Orders: what people bought, and how far each order is."""
