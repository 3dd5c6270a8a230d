"""Stand-ins used by tests: a storage with faults, and small exact models of larger parts."""
