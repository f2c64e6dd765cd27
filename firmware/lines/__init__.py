"""Line machines: board signals and digits become seize, answer, clear; requests become board signals."""
