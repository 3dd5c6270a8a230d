"""The wire contract: generated messages, and pure functions between them and columns, hits and errors.

``engram_pb2*`` is generated from ``proto/engram/v1/engram.proto`` by ``make proto``; nothing in here does I/O.
"""
