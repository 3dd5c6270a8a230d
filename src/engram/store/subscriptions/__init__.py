"""Standing recalls: each new observation that matches a cue is delivered to the subscription."""
