"""What joins Engram to other libraries, a package each; each needs the extra of the same name.

An integration translates names and shapes, and keeps nothing of its own: what it lacks is built in the engine. What
several of them need stands here.
"""
