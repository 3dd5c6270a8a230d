"""Files of observations, read in chunks of bounded size."""
