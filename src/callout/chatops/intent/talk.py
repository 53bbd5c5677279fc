"""The words by which people talk about commands instead of giving them. Pure data."""

from __future__ import annotations

from typing import Final

from callout.chatops.intent.lexicon import words_of

REASONED: Final = frozenset({"mitigate", "resolve", "close", "reopen", "escalate", "page"})
"""Commands that take a reason or a message."""
BREAKS: Final = frozenset({",", ".", ";", ":", "-", "NEWLINE", "!", "("})
BECAUSE: Final = frozenset({"because", "since", "saying"})
STARTERS: Final = frozenset(
    [
        "fixed",
        "false",
        "duplicate",
        "rolled",
        "reverted",
        "restarted",
        "renewed",
        "confirmed",
        "verified",
        "done",
        "all",
        "need",
        "needs",
        "cause",
        "root",
        "fix",
        "customer",
        "customers",
        "traffic",
        "rollback",
        "errors",
        "still",
        "it's",
        "its",
        "problem",
        "same",
        "nobody",
        "no",
    ]  # reads better
)
NO_REASONS: Final = frozenset(
    [
        "failed",
        "closed",
        "acked",
        "mitigated",
        "reopened",
        "escalated",
        "assigned",
        "crashed",
        "errored",
        "worked",
        "refused",
        "looked",
        "seemed",
        "needed",
        "caused",
        "turned",
        "returned",
        "asked",
        "wanted",
        "supposed",
        "tried",
        "stopped",
        "used",
        "renamed",
        "joined",
        "need",
    ]
)
"""Words in `-ed` that speak of the command rather than give its reason."""
CONDITIONS: Final = frozenset(
    [
        "if",
        "unless",
        "once",
        "until",
        "till",
        "when",
        "whenever",
        "tomorrow",
        "later",
        "tonight",
        "soon",
        "maybe",
        "perhaps",
        "suppose",
        "assuming",
        "provided",
        "wait",
        "nvm",
        "kidding",
        "jk",
        "joking",
        "lol",
        "haha",
        "hahaha",
        "hahahaha",
        "lmao",
        "rofl",
        "joke",
        "or",
        "actually",
        "oops",
        "undo",
        "scratch",
        "cancel",
        "should",
        "would",
        "could",
        "might",
        "can",
        "may",
        "hypothetically",
        "whether",
        "then",
        "MOCK",
        "?",
        "CODE",
        "after",
        "before",
        "as",
        "yet",
        "sure",
        "oh",
        "great",
        "yeah",
        "wow",
    ]
)
ALWAYS: Final = words_of("""
    if unless once hypothetically nvm kidding jk joking lol haha hahaha lmao rofl joke scratch cancel undo MOCK ? or
    wait until till maybe perhaps tomorrow tonight later whenever
    """)
REPORTS: Final = frozenset(
    [
        "said",
        "says",
        "say",
        "told",
        "tells",
        "wrote",
        "writes",
        "typed",
        "types",
        "asked",
        "asks",
        "wants",
        "wanted",
        "thinks",
        "thought",
        "claims",
        "claimed",
        "promised",
        "hopes",
        "hoped",
        "demands",
        "demanded",
        "suggests",
        "suggested",
        "according",
        "saying",
        "keeps",
        "insists",
        "proposed",
        "reckons",
        "believes",
        "reported",
        "mentioned",
        "requested",
        "requests",
        "heard",
        "shouted",
        "yelled",
        "texted",
        "messaged",
        "posted",
        "replied",
        "answered",
        "commented",
        "joked",
        "begged",
        "urged",
        "recommended",
        "instructed",
        "ordered",
        "advised",
        "complained",
        "insisted",
        "telling",
        "goes",
        "shouting",
        "whispered",
        "suggested",
        "proposes",
        "hope",
        "hoping",
        "wish",
        "doubt",
        "unsure",
        "wonder",
        "think",
        "thinking",
        "guess",
        "suppose",
        "believe",
        "imo",
        "probably",
        "presumably",
        "apparently",
        "dunno",
        "idk",
        "sure",
        "trust",
        "honestly",
        "obviously",
        "seriously",
        "surely",
        "clearly",
        "joking",
        "phrase",
        "button",
        "command",
        "word",
        "words",
        "types",
        "sentence",
        "spelling",
        "quote",
        "quoted",
    ]
)
TALK: Final = frozenset({"we", "i", "he", "she", "they", "you", "nobody", "somebody", "anybody"})
QUESTIONING: Final = frozenset(
    {"what", "why", "who", "how", "which", "where", "whom", "is", "are", "do", "does", "did"}
)
COMMANDING: Final = words_of("""
    page note link join leave task title set make add tell notify rename assign call wake give change mark put remove open
    create file move raise lower declare resolve close reopen ack mitigate escalate attach help show list
    """)
"""What begins a second command; one phrase is one command."""
NAMING: Final = frozenset(
    {"TICKET", "URL", "SEV", "PERSON", "PEOPLE", "ROLE", "ALL", "INC", "inc", "CODE", "INTEG"}
)
LINKS: Final = frozenset({"of", "as", "see", "by", "in", "with", "to", "from", "like", "is", "into"})

MODALS: Final = words_of("should would could might may must will shall going gonna")

UNSURE: Final = "I am not sure what you mean, so I did nothing."
