"""Files between an incident's channel and the incident: taken from chat (`taking`), and shown there (`sending`).

The platform's own id of a file tells what is known already: what came from a platform is not shown there again, and what we showed is
not taken. Both are jobs, beside the visits: a large file holds up no news.
"""
