"""How much of everything N users need: ``python -m bench.capacity --users 1000000``."""
