"""The endpoints of the PagerDuty twin, by subject."""
