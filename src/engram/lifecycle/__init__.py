"""Process lifecycle: forks, signals, and the end of the interpreter."""
