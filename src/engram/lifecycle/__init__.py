"""What happens to a process: forks, signals, and the end of the interpreter."""
