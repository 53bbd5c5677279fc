"""The words that carry meaning, as data. Pure."""

from __future__ import annotations

from typing import Final


def _pairs(table: str) -> dict[str, str]:
    """Return `word: canonical word` from lines of `canonical: word word …`."""
    found: dict[str, str] = {}
    for line in table.strip().splitlines():
        canonical, _, words = line.partition(":")
        found.update(dict.fromkeys(words.split(), canonical.strip()))
    return found


def words_of(text: str) -> frozenset[str]:
    """Return the words of a table."""
    return frozenset(text.split())


_words = words_of


SAME: Final = _pairs(
    """
    ack: acknowledge
    acked: acknowledged ackd acked.
    acking: acknowledging
    reassign: re-assign
    reopen: re-open
    reopened: re-opened
    resolved: fixed solved
    incident: incidnet incidence incidint inicdent
    task: todo to-do
    tasks: todos
    please: pls plz plss plse pleas plaese pleease
    you: u ya
    are: r
    because: cuz bc bcs coz bcoz becuase becos b/c
    tomorrow: tmrw tmr tomorow
    me: myself
    severity: sev prio priority
    severities: sevs
    incidents: incs
    role: position
    assignee: owner assigned-to responsible
    title: headline
    timeline: time-line
    oncall: on-call
    synchronisation: synchronization syncronisation
    sync: synchronize synchronise
    with: w/ w
    somebody: someone
    anybody: anyone
    nobody: noone no-one
    favour: favor
    summarise: summarize
    people: ppl persons folks
    INTEG: jira servicenow service-now zendesk pagerduty opsgenie github gitlab
    note: comment remark
    notes: comments remarks
    """
)
"""Words that are read as another."""

AUDIENCES: Final = _pairs(
    """
    internal: internal internally internal-only private
    responders: responders responder responders-only
    customer: customer customers customer-facing customer-visible public publicly external client-facing clients
    """
)
PARTS: Final = {
    "dont": ("do", "not"),
    "dnt": ("do", "not"),
    "doesnt": ("does", "not"),
    "didnt": ("did", "not"),
    "cant": ("can", "not"),
    "cannot": ("can", "not"),
    "wont": ("will", "not"),
    "isnt": ("is", "not"),
    "arent": ("are", "not"),
    "wasnt": ("was", "not"),
    "hasnt": ("has", "not"),
    "havent": ("have", "not"),
    "shouldnt": ("should", "not"),
    "wouldnt": ("would", "not"),
    "couldnt": ("could", "not"),
    "mustnt": ("must", "not"),
    "neednt": ("need", "not"),
    "can't": ("can", "not"),
    "won't": ("will", "not"),
    "shan't": ("shall", "not"),
    "thats": ("that", "is"),
    "whos": ("who", "is"),
    "whats": ("what", "is"),
    "wheres": ("where", "is"),
    "hows": ("how", "is"),
    "whys": ("why", "is"),
    "lets": ("let", "us"),
    "let's": ("let", "us"),
    "gimme": ("give", "me"),
    "lemme": ("let", "me"),
    "wanna": ("want", "to"),
    "gotta": ("have", "to"),
    "gonna": ("going", "to"),
    "im": ("i", "am"),
    "ive": ("i", "have"),
    "acknowledgement": ("ack",),
    "wake-up": ("wake", "up"),
    "read-out": ("readout",),
    "hand-over": ("hand", "over"),
}
"""Words that stand for several."""
ENDINGS: Final = {
    "'s": "is",
    "'re": "are",
    "'m": "am",
    "'ll": "will",
    "'ve": "have",
    "'d": "would",
}
SUBJECTS: Final = _words("i you he she it we they who what where when why how that there here this everyone")
"""After these an `'s` is a verb, elsewhere it says whose."""

FILLERS: Final = _words(
    """
    please kindly thanks thx thank-you ty tysm tnx cheers now just the a an quickly asap immediately instantly also
    hey hi hello hiya hallo yo dear ok okay okey alright right-now finally directly urgently promptly
    really very simply actually-please hereby mr mrs gn ta tia guys team folks mate buddy pal bot um uh hm hmm eh
    """
)
"""Words that change nothing wherever they stand in a command."""
GREETINGS: Final = _words("good morning evening afternoon day night welcome sorry oops whoops")
ARTICLES: Final = _words("the a an")
COURTESIES: Final = _words(
    "please kindly thanks thx ty tysm tnx cheers now asap immediately gn ta tia bye mate buddy again urgently quickly"
)
"""What may follow a command, or stand between it and what it is about, and belongs to neither."""

_COUNTED: Final = "zero one two three four five six seven eight nine ten eleven twelve"
NUMBERS: Final = {word: at for at, word in enumerate(_COUNTED.split())}
LEVELS: Final = {"critical": "SEV-1", "high": "SEV-2", "medium": "SEV-3", "low": "SEV-4"}
UNITS: Final = {
    **dict.fromkeys(("m", "min", "mins", "minute", "minutes"), "m"),
    **dict.fromkeys(("h", "hr", "hrs", "hour", "hours"), "h"),
    **dict.fromkeys(("d", "day", "days"), "d"),
    **dict.fromkeys(("w", "wk", "week", "weeks"), "w"),
    **dict.fromkeys(("month", "months"), "month"),
}
WEEKDAYS: Final = _words("monday tuesday wednesday thursday friday saturday sunday")
PREPOSITIONS: Final = _words("of for on in to at from with into about regarding re")

MOCKING: Final = _words(
    "🙄 😂 🤣 😜 😝 😛 🤪 😏 🙃 😹 😆 joy rolling_eyes rofl upside_down_face stuck_out_tongue smirk laughing "
    "stuck_out_tongue_winking_eye zany_face"
)
"""Emoji that say that something is not meant."""

VERBS: Final = _words(
    """
    declare ack mitigate resolve close reopen escalate assign reassign note join leave rename title role task link
    attach page severity
    """
)
"""Words that command, in the form that commands."""
BASES: Final = {
    "declare": "declare",
    "ack": "ack",
    "mitigate": "mitigate",
    "resolve": "resolve",
    "close": "close",
    "reopen": "reopen",
    "escalate": "escalate",
    "assign": "assign",
    "reassign": "assign",
    "note": "note",
    "join": "join",
    "leave": "leave",
    "rename": "title",
    "title": "title",
    "role": "role",
    "ROLE": "role",
    "task": "task",
    "link": "link",
    "attach": "link",
    "ticket": "link",
    "page": "page",
    "severity": "severity",
    "SEV": "severity",
    "status": "status",
    "list": "list",
    "sync": "sync",
    "why": "why",
    "help": "help",
    "who": "who",
    "changed": "changes",
    "timeline": "timeline",
}
"""Which command a word makes one think of."""
GERUNDS: Final = {
    "declaring": "declare",
    "acking": "ack",
    "mitigating": "mitigate",
    "resolving": "resolve",
    "closing": "close",
    "reopening": "reopen",
    "escalating": "escalate",
    "assigning": "assign",
    "reassigning": "reassign",
    "adding": "add",
    "renaming": "rename",
    "paging": "page",
    "linking": "link",
    "attaching": "attach",
    "setting": "set",
    "changing": "change",
    "making": "make",
    "marking": "mark",
    "giving": "give",
    "creating": "create",
    "raising": "raise",
    "lowering": "lower",
    "putting": "put",
    "opening": "open",
    "removing": "remove",
    "taking": "take",
    "writing": "write",
}
PARTICIPLES: Final = {
    "acked": "ack",
    "mitigated": "mitigate",
    "resolved": "resolve",
    "closed": "close",
    "reopened": "reopen",
    "escalated": "escalate",
    "declared": "declare",
    "assigned": "assign",
    "reassigned": "assign",
    "paged": "page",
    "renamed": "title",
    "linked": "link",
    "joined": "join",
    "left": "leave",
}

VOCABULARY: Final = (
    frozenset(SAME)
    | frozenset(SAME.values()) - {"INTEG"}
    | FILLERS
    | frozenset(PARTS)
    | frozenset(GERUNDS)
    | frozenset(PARTICIPLES)
    | frozenset(BASES) - {"SEV", "ROLE"}
    | frozenset(AUDIENCES)
    | frozenset(LEVELS)
    | frozenset(UNITS)
    | _words(
        """
        what when where which who whose how why show tell give make change changes changed update set mark status
        incident incidents severity commander scribe communications operations timeline history chronology events
        escalation conflict conflicts tickets ticket attach connect create mitigation commands explain people
        responders rename assignee happened yesterday today raise lower downgrade upgrade command service field
        open active ongoing list tasks remove invite describe summary details progress working responsible charge current currently
        unresolved synced syncing title notes level alert summon should would could
        """
    )
)
ERRORS: Final = {
    "clos": "close",
    "clse": "close",
    "cloze": "close",
    "closse": "close",
    "colse": "close",
    "ak": "ak",
    "akc": "ack",
    "ackn": "ack",
    "ackno": "ack",
    "aknow": "ack",
    "ackk": "ack",
    "acc": "acc",
    "jion": "join",
    "joing": "joing",
    "pge": "page",
    "pagge": "page",
    "lnk": "link",
    "linkk": "link",
    "nte": "note",
    "ntoe": "note",
    "tsk": "task",
    "taks": "task",
    "stauts": "status",
    "leav": "leave",
    "leve": "leave",
    "titel": "title",
    "tittle": "title",
    "wath": "what",
    "hlp": "help",
    "halp": "help",
    "synch": "sync",
    "snc": "sync",
    "asing": "assign",
    "asgn": "assign",
    "assing": "assign",
    "esc": "esc",
    "wich": "which",
    "acknowledg": "ack",
    "aknowledge": "ack",
    "acknoledge": "ack",
    "acknowlege": "ack",
    "aknowlege": "ack",
    "reopne": "reopen",
    "shw": "show",
    "tme": "tme",
    "severty": "severity",
    "serverity": "severity",
    "commader": "commander",
    "synk": "sync",
    "escelate": "escalate",
    "incedent": "incident",
    "wy": "why",
    "wo": "who",
    "wht": "what",
    "whta": "what",
    "wat": "what",
    "wot": "what",
    "wats": "whats",
    "lst": "list",
    "lsit": "list",
    "incidnets": "incidents",
    "inicdents": "incidents",
    "incdients": "incidents",
    "incidences": "incidents",
    "stat": "status",
    "tiltle": "title",
    "ntes": "notes",
}
"""Frequent errors that the rule of one edit does not reach, or must not touch (`word: word`)."""
