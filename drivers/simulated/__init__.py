"""Register-accurate simulated chips behind the calls of the real buses: for tests, and for a demonstration without
boards (`"bus": "simulated"` in boards.json). They are made from the same register tables as the drivers, so they prove
the drivers' order and handling, not the tables: only a real chip proves those."""
