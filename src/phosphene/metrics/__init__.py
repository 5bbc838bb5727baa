"""How near painted pictures are to real ones, in numbers: features, and distances between them."""
