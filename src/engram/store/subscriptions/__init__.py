"""Standing recalls: each new observation that matches is told."""
