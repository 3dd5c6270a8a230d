"""The durable log: storage, records, segments, recovery. See `engram.log.log.Log`."""
