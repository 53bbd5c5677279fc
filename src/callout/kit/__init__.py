"""Tools that know no domain: time, ids, secrets, HTTP, retry, paging, redaction and the text model."""
