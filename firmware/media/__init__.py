"""The switch: samples of all channels as arrays, joined, played to and tapped, ten milliseconds at a time."""
