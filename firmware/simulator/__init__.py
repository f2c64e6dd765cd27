"""Simulated citizens, agents and the line card between them and the gateway. Ships with the product."""
