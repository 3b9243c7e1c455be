"""What clients may send, one file a route: what is not named here is refused by its name."""
