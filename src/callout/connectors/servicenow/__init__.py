"""ServiceNow as a ticketing provider: IT service management and Security Incident Response over one client."""
