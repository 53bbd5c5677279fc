"""`callout bench crash`: processes that die by SIGKILL at every named point, and the count afterwards."""
