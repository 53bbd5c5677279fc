"""Logging: one pipeline for our own lines and those of libraries, and nothing leaves it unredacted."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from typing import IO, Any, Final, Literal, TypeAlias

import structlog
from structlog.types import Processor

from callout.kit import tracing
from callout.kit.redaction import redact_exact, redact_text, redaction_processor

LogFormat: TypeAlias = Literal["console", "json"]
_Event: TypeAlias = MutableMapping[str, Any]

# These say a line per request or per connection, which our own lines already do.
_CHATTY: Final = ("httpx", "httpcore", "aiohttp.access", "markdown_it", "asyncio")


def configure(format: LogFormat = "console", level: str = "INFO", *, stream: IO[str] | None = None) -> None:  # noqa: A002
    """Send structlog and the standard library's logging through one redacting pipeline.

    Args:
        format: `console` for people, `json` for machines, one object a line.
        level: `DEBUG`, `INFO`, `WARNING`, `ERROR` or `CRITICAL`.
        stream: where to write; standard error by default.

    Raises:
        ValueError: unknown format or level.
    """
    number = logging.getLevelNamesMapping().get(level.upper())
    if number is None:
        raise ValueError(f"unknown log level {level!r}")
    if format not in {"console", "json"}:
        raise ValueError(f"unknown log format {format!r}; use console or json")
    out = stream or sys.stderr
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        tracing.log_fields,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
        structlog.processors.StackInfoRenderer(),
        # Never with local variables: they are where secrets live.
        structlog.processors.format_exc_info,
        structlog.processors.UnicodeDecoder(),
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(out)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                _as_processor,
                *_renderers(format, colours=out.isatty()),
            ],
        )
    )
    root = logging.getLogger()
    for old in list(root.handlers):
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(number)
    for name in _CHATTY:
        logging.getLogger(name).setLevel(max(number, logging.WARNING))
    _reclaim_loggers()
    logging.captureWarnings(capture=True)


def get_logger(name: str) -> structlog.stdlib.BoundLogger:
    """Return a logger; events are short fixed texts, everything that varies is a field."""
    logger: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(name)
    return logger


@contextmanager
def log_context(**fields: object) -> Iterator[None]:
    """Add fields, such as a request or job id, to every line logged inside, in this task and those it starts."""
    with structlog.contextvars.bound_contextvars(**fields):
        yield


def _renderers(format: LogFormat, *, colours: bool) -> list[Processor]:  # noqa: A002
    if format == "json":
        # Every value was redacted before. What the rendering could add is only the exact values once more, and
        # replacing those keeps the JSON whole, which patterns that look beyond a quote would not.
        return [structlog.processors.JSONRenderer(default=str), _redact_exact_line]
    return [
        structlog.dev.ConsoleRenderer(colors=colours, exception_formatter=structlog.dev.plain_traceback),
        _redact_line,
    ]


def _as_processor(logger: Any, method: str, event: _Event) -> _Event:  # noqa: ANN401 - structlog's signature
    return redaction_processor(logger, method, dict(event))


def _redact_line(_logger: Any, _method: str, line: Any) -> str:  # noqa: ANN401
    return redact_text(str(line))


def _redact_exact_line(_logger: Any, _method: str, line: Any) -> str:  # noqa: ANN401
    return redact_exact(str(line))


def _reclaim_loggers() -> None:
    """Take over loggers that a library gave handlers of its own, which would write past the redaction."""
    for logger in list(logging.Logger.manager.loggerDict.values()):
        if isinstance(logger, logging.Logger) and logger.handlers:
            logger.handlers = [
                handler for handler in logger.handlers if not isinstance(handler, logging.StreamHandler)
            ]
            logger.propagate = True
