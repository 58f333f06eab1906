"""The shared trainer: corpus -> split -> windows -> trainer -> ranks. Imports nothing of this project."""
