"""This process and this machine: signals, processors, memory, versions."""
