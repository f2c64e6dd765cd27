"""China No.1 (R2): line bits and MFC registers of one E1 channel, both directions. `china.toml` holds the figures."""
