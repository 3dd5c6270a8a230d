"""The wire contract: generated messages, and pure functions that convert them to and from columns, hits and errors.

``make proto`` generates ``engram_pb2*`` from ``proto/engram/v1/engram.proto``. Nothing in this package does I/O.
"""
