"""What benchmarks share: data, loads, processes and reports."""
